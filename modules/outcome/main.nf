// What a run says of itself: the plan when the grid is known, the outcome when all is done.

include { megabytes } from '../parameters'

// The task each combination of the grid is trained by, and what tells it from the others.
def planText(entries) {
    def lines = entries.collect { entry ->
        def varying = entry.varying.collect { name, value -> "${name} ${asWritten(value)}" }.join(', ')
        "  ${entry.variant}: TRAIN (${entry.model} ${entry.point.md5().take(8)})" + (varying ? "  ${varying}" : '')
    }
    return (["Combinations in the grid: ${entries.size()}"] + shortened(lines, 24)).join('\n')
}

// A value as a parameter table writes it.
def asWritten(value) {
    return value instanceof Boolean ? "${value}".toUpperCase() : value instanceof BigDecimal ? value.stripTrailingZeros().toPlainString() : value
}

// How a run that trained ended, in this order: the report's own summary, where the report is, which combinations have no
// model and why, what could not be published. `made` is what was made: [ summary:, leaderboard:, variants: ].
def outcomeText(made, outdir) {
    def lost = lostCombinations(made.leaderboard)
    // The summary ends with the report's path, which is that of a work folder; what was lost is said below.
    def summary = made.summary.readLines().init()
        .collect { line -> line.stripTrailing() }
        .findAll { line -> !lost.any { row -> line.startsWith("${row.variant}: ") } }
    def lines = shortened(summary, 60)

    def results = file(outdir, glob: false)
    // Only a run that failed can have left something unpublished.
    def missing = workflow.success ? [] : unpublished(made, results)
    if (!('report' in missing)) {
        lines = lines + "Report: ${results.resolve('report/report.html').toUriString()}"
    }
    if (lost) {
        lines = lines + "${verdictText(made.leaderboard)}, so the run exits with status 1:"
        lines = lines + shortened(lost.collect { row -> "  ${row.variant} ${row.state}: ${brief(row.reason)}" }, 24)
    }
    if (missing) {
        lines = lines + "Publishing in ${results.toUriString()} failed, so this is not there or not whole: ${missing.join(', ')}."
        lines = lines + "${freeSpace(results)}All of it is in the work folder; the same command with -resume publishes it."
    }
    else if (workflow.errorMessage) {
        lines = lines + "The run failed at its end: ${workflow.errorMessage}. ${freeSpace(results)}".trim()
    }
    return lines.join('\n')
}

// Ctrl-C, or a signal from elsewhere.
def isInterrupted() {
    return "${workflow.errorMessage}" ==~ /SIG[A-Z0-9]+/
}

def interruptedText() {
    return 'Interrupted. The same command with -resume goes on; running trainings go on from their last checkpoints.'
}

// "2 of 3 combinations have no model", or how many have one.
def verdictText(leaderboard) {
    def lost = lostCombinations(leaderboard).size()
    def all = leaderboardRows(leaderboard).size()
    return lost ? "${lost} of ${all} combinations have no model" : "${all} of ${all} combinations have a model"
}

def lostCombinations(leaderboard) {
    return leaderboardRows(leaderboard).findAll { row -> row.state != 'SUCCEEDED' }
}

def leaderboardRows(leaderboard) {
    def table = leaderboard.readLines().collect { line -> line.split('\t', -1) as List }
    return table.tail().collect { cells -> [table.head(), cells].transpose().collectEntries() }
}

// Names of the results whose files are not all in the output folder.
def unpublished(made, results) {
    def targets = [report: [made.leaderboard.parent, results.resolve('report')]]
    made.variants.each { variant -> targets = targets + [(variant.name): [variant, results.resolve(variant.parent.name).resolve(variant.name)]] }
    return targets.findAll { _name, pair -> !isPublished(pair[0], pair[1]) }.keySet()
}

def isPublished(source, target) {
    if (source.isDirectory()) {
        return source.listFiles().every { path -> isPublished(path, target.resolve(path.name)) }
    }
    return target.exists() && target.size() == source.size()
}

def freeSpace(folder) {
    if (folder.scheme != 'file' || !folder.exists()) {
        return ''
    }
    return "Of that disk ${megabytes(java.nio.file.Files.getFileStore(folder).usableSpace)} are free. "
}

// What a library threw may fill a screen; the report and the leaderboard have all of it.
def brief(reason) {
    return reason.size() <= 400 ? reason : "${reason.take(400)} …"
}

def shortened(lines, most) {
    return lines.size() <= most ? lines : lines.take(most - 1) + ["  … and ${lines.size() - most + 1} more"]
}
