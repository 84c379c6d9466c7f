include { leftOut } from '../loss'

// A run and its place in the grid → <model>/<model>_<i>/ as tranquillyzer lays it out, with the drawings of validation reads.
process EXPORT {
    tag "${variant}"
    label 'process_light'
    ext left_out: { leftOut(task, variant) }

    input:
    tuple val(model), val(variant), path(run, stageAs: 'run'), path(validation, stageAs: 'validation.parquet')

    output:
    path "${model}/${variant}", emit: variant

    script:
    def args = task.ext.args ?: ''
    """
    readlabel export --run run --validation validation.parquet --name '${variant}' --out '${model}' ${args}
    """

    stub:
    """
    mkdir -p '${model}/${variant}'
    touch '${model}/${variant}/${variant}_run.json'
    """
}
