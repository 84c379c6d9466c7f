// The whole grid and every variant that came to an end → leaderboard, report, merged PDF, copies of the best. What the
// grid names and no variant stands for is listed as missing; folders of earlier grids are named, never touched.
process REPORT {
    label 'process_light'

    input:
    path grid
    path variants, stageAs: 'variants/*'
    path earlier, stageAs: 'earlier/?/*'

    output:
    path 'report', emit: report
    path 'report/leaderboard.tsv', emit: leaderboard
    stdout emit: summary
    tuple val("${task.process}"), val('readlabel'), eval('readlabel --version'), emit: versions

    script:
    """
    shopt -s nullglob
    readlabel report --grid grid.json --outdir earlier --out report -- variants/*
    """

    stub:
    """
    mkdir report
    printf 'variant\\tstate\\treason\\n' > report/leaderboard.tsv
    touch report/report.html
    echo report/report.html
    """
}

// Folders of variants in the results that this run does not write: they are of another grid, or of an attempt before it.
def earlierResults(outdir, variants) {
    def written = variants.collect { variant -> variant.name }
    return foldersIn(file(outdir, glob: false))
        .collectMany { model -> foldersIn(model).findAll { folder -> folder.name.startsWith("${model.name}_") } }
        .findAll { folder -> folder.resolve("${folder.name}_run.json").exists() && !(folder.name in written) }
        .sort { folder -> folder.name }
}

def foldersIn(folder) {
    return folder.exists() ? folder.listFiles().findAll { path -> path.isDirectory() } : []
}
