// tranquillyzer's reads.pkl and labels.pkl → labelled reads, checked against the library.
process IMPORT_READS {
    tag "${model}"
    label 'process_light'
    cache 'deep'

    // Another release may read or judge them otherwise, so its version is an input.
    input:
    tuple val(model), val(library)
    path reads, stageAs: 'reads.pkl'
    path labels, stageAs: 'labels.pkl'
    val version

    output:
    tuple val(model), val('training'), path('{training.parquet,refusal.txt}'), emit: reads
    tuple val("${task.process}"), val('readlabel'), eval('readlabel --version'), emit: versions

    script:
    """
    cat > library.json <<'JSON'
    ${library}
    JSON

    or-refuse readlabel import-reads \\
        --reads reads.pkl \\
        --labels labels.pkl \\
        --library library.json \\
        --out training.parquet
    """

    stub:
    """
    touch training.parquet
    """
}
