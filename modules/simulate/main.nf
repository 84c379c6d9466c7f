// A library → labelled reads with known truth, one set of one model a task.
process SIMULATE {
    tag "${model} ${set}"
    label 'process_light'
    cache 'deep'

    // Another release may simulate other reads, so its version is an input.
    input:
    tuple val(model), val(library), val(set), val(num_reads)
    val seed
    path transcriptome, stageAs: 'transcriptome/*'
    val version

    output:
    tuple val(model), val(set), path("{${set}.parquet,refusal.txt}"), emit: reads
    tuple val("${task.process}"), val('readlabel'), eval('readlabel --version'), emit: versions

    script:
    def args = task.ext.args ?: ''
    def from = transcriptome ? "--transcriptome ${transcriptome}" : ''
    """
    cat > library.json <<'JSON'
    ${library}
    JSON

    or-refuse readlabel simulate \\
        --library library.json \\
        --num-reads ${num_reads} \\
        --seed ${seed} \\
        --stream ${set} \\
        --threads ${task.cpus} \\
        --out ${set}.parquet \\
        ${from} ${args}
    """

    stub:
    """
    touch ${set}.parquet
    """
}
