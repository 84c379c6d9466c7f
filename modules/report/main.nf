include { leaderboardRows } from '../outcome'

// The whole grid and every variant that came to an end → leaderboard, report, merged PDF, copies of the best. What the
// grid names and no variant stands for is listed as missing; folders of earlier grids are named, never touched. What lies in
// report/best of other models stays, so its folders are published one by one.
process REPORT {
    label 'process_light'

    input:
    path grid
    path variants, stageAs: 'variants/*'
    path earlier, stageAs: 'earlier/?/*'
    val losses

    output:
    path 'report/leaderboard.tsv', emit: leaderboard
    path 'report/*.{html,pdf}', emit: pages
    path 'report/best/*', emit: best, optional: true
    stdout emit: summary
    tuple val("${task.process}"), val('readlabel'), eval('readlabel --version'), emit: versions

    script:
    """
    cat > losses.json <<'JSON'
    ${losses}
    JSON

    shopt -s nullglob
    readlabel report --grid grid.json --outdir earlier --losses losses.json --out report -- variants/*
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

// Said before anything of an earlier run is replaced; '' where nothing is. With -resume, results of combinations that are
// in this grid are not lost, wherever in it they are now.
def replacedText(outdir, entries) {
    def results = file(outdir, glob: false)
    def kept = workflow.resume ? entries.collect { entry -> entry.point } : []
    def replaced = entries
        .findAll { entry ->
            def record = results.resolve("${entry.model}/${entry.variant}/${entry.variant}_run.json")
            record.exists() && !(pointOf(record) in kept)
        }
        .collect { entry -> entry.variant }
    def others = modelsIn(results.resolve('report/leaderboard.tsv')) - entries.collect { entry -> entry.model }
    if (others) {
        replaced = replaced + "report (with what it says of ${others.join(', ')}; report/best/${others.join(' and report/best/')} stays)"
    }
    else if (replaced || !workflow.resume && results.resolve('report').exists()) {
        replaced = replaced + 'report'
    }
    def named = replaced.size() > 12 ? replaced.take(10) + "${replaced.size() - 11} more" + replaced.last() : replaced
    return replaced
        ? "${outdir} holds results of an earlier run. These will be replaced: ${named.join(', ')}. To keep them, stop and give another --outdir."
        : ''
}

// The combination that a published record is of; null where the record cannot be read.
def pointOf(record) {
    try {
        return groovy.json.JsonOutput.toJson(new groovy.json.JsonSlurper().parseText(record.text).spec.point)
    }
    catch (RuntimeException _e) {
        return null
    }
}

// The models of a published leaderboard; none where it cannot be read.
def modelsIn(leaderboard) {
    return leaderboard.exists() && leaderboard.size() ? leaderboardRows(leaderboard).collect { row -> row.model }.unique().findAll { model -> model } : []
}

// Removes the best of an earlier run for each model that this run has no best of.
def withdrawBest(outdir, leaderboard) {
    if (workflow.stubRun) {
        return
    }
    def published = file(outdir, glob: false).resolve('report/best')
    modelsIn(leaderboard)
        .findAll { model -> !leaderboard.parent.resolve("best/${model}").exists() && published.resolve(model).exists() }
        .each { model -> published.resolve(model).deleteDir() }
}

def foldersIn(folder) {
    return folder.exists() ? folder.listFiles().findAll { path -> path.isDirectory() } : []
}
