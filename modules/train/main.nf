include { leftOut } from '../loss'

// One combination → run/, its trained model and what became of it, under fixed file names.
//
// The inputs are all that decides the outcome: no index, no address, no folder, no time. So a grid that grows, or another
// service, trains nothing twice. What may differ from run to run comes by the environment (conf/base.config), where
// `readlabel train` looks for READLABEL_SERVICE, READLABEL_TOKEN_FILE and READLABEL_TLS_CA.
//
// A combination that fails by its own parameters is an outcome: run/run.json says so and the task exits 0. A failure of
// the machine exits with another status, is tried again, then left to the report.
process TRAIN {
    tag "${model} ${point.md5().take(8)}"
    label 'process_gpu'
    cache 'deep'
    ext left_out: { leftOut(task, point.md5()) }

    input:
    tuple val(model), val(point), path(training, stageAs: 'training.parquet'), path(validation, stageAs: 'validation.parquet')

    output:
    tuple val(point), path('run'), emit: run

    // exec: the scheduler's signals reach readlabel itself.
    script:
    """
    cat > point.json <<'JSON'
    ${point}
    JSON

    exec readlabel train \\
        --point point.json \\
        --train training.parquet \\
        --validation validation.parquet \\
        --out run \\
        --threads ${task.cpus} \\
        \${READLABEL_CHECKPOINT_DIR:+--checkpoint-dir "\$READLABEL_CHECKPOINT_DIR"} \\
        \${READLABEL_SWEEP:+--tag "sweep=\$READLABEL_SWEEP"} \\
        \${READLABEL_INSECURE:+--insecure}
    """

    stub:
    """
    mkdir run
    touch run/run.json
    """
}
