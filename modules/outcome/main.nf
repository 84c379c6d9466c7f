// What a run says of itself: the plan when the grid is known, the outcome when all is done.

// The task each combination of the grid is trained by, and what tells it from the others.
def planText(entries) {
    def lines = entries.collect { entry ->
        def varying = entry.varying.collect { name, value -> "${name} ${value}" }.join(', ')
        "  ${entry.variant}: TRAIN (${entry.model} ${entry.point.md5().take(8)})" + (varying ? "  ${varying}" : '')
    }
    return (["Combinations in the grid: ${entries.size()}"] + shortened(lines, 24)).join('\n')
}

// The report's own summary, where the report is, and how many combinations have no model.
def outcomeText(summary, leaderboard, outdir) {
    // The summary ends with the report's path, which is that of a work folder.
    def lines = shortened(summary.readLines().init().collect { line -> line.stripTrailing() }, 60)
    lines = lines + "Report: ${file(outdir, glob: false).resolve('report/report.html').toUriString()}"

    def table = leaderboard.readLines().collect { line -> line.split('\t', -1) as List }
    def states = table.tail().collect { cells -> cells[table.head().indexOf('state')] }
    def lost = states.count { state -> state != 'SUCCEEDED' }
    if (lost) {
        lines = lines + "${lost} of ${states.size()} combinations have no model: the reasons are above and in the report."
    }
    return lines.join('\n')
}

def shortened(lines, most) {
    return lines.size() <= most ? lines : lines.take(most - 1) + ["  … and ${lines.size() - most + 1} more"]
}
