// The two tables → grid.json: every combination of every model asked for, each with its name in the results.
process EXPAND_GRID {
    tag "${model_name}"
    label 'process_light'
    cache 'deep'

    // Nextflow escapes paths itself. The version is here so that another release expands the grid anew, with the engine
    // revision it has.
    input:
    path training_params, stageAs: 'training_params/*'
    path training_seq_orders, stageAs: 'training_seq_orders/*'
    val model_name
    val seed
    val version

    output:
    path '{grid.json,refusal.txt}', emit: grid
    stdout emit: words
    tuple val("${task.process}"), val('readlabel'), eval('readlabel --version'), emit: versions

    script:
    """
    or-refuse readlabel grid \\
        --training-params ${training_params} \\
        --training-seq-orders ${training_seq_orders} \\
        --model-name '${model_name}' \\
        --seed ${seed} \\
        --out grid.json 2>&1
    """

    // The grid decides which tasks there are, so a stub run expands it for real.
    stub:
    """
    or-refuse readlabel grid \\
        --training-params ${training_params} \\
        --training-seq-orders ${training_seq_orders} \\
        --model-name '${model_name}' \\
        --seed ${seed} \\
        --out grid.json 2>&1
    """
}

// grid.json → its combinations: [ variant: <model>_<index>, model:, point: JSON, library: JSON, varying: { name: value } ].
// `point` and `library` travel as text: a task that gets a value is cached by what the value says.
def gridEntries(grid) {
    return new groovy.json.JsonSlurper().parseText(grid.text).entries.collect { entry ->
        [
            variant: "${entry.model}_${entry.index}".toString(),
            model: entry.model,
            point: groovy.json.JsonOutput.toJson(entry.point),
            library: groovy.json.JsonOutput.toJson(entry.point.library),
            varying: entry.varying.collectEntries { name -> [name, entry.point.hyperparameters[name]] },
        ]
    }
}

// What the tool noted about the tables, for the user to see: a task's own output goes to its log only.
def notesText(words) {
    return words.readLines().findAll { line -> line.startsWith('note: ') }.collect { line -> line.substring('note: '.size()) }.join('\n')
}
