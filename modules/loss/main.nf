// A combination whose task was left out (conf/modules.config: no further try) and how that task ended, for the report.

// variant → reason, as JSON on one line. To be called when no task of a combination is left.
def lossesText(entries, folder) {
    def notes = file(folder, glob: false).exists() ? file(folder, glob: false).listFiles() : []
    def told = notes.collectEntries { path ->
        def note = new groovy.json.JsonSlurper().parseText(path.text)
        [note.task, lossReason(note)]
    }
    // A task of EXPORT is named by the variant, one of TRAIN by its combination.
    def losses = entries.collectEntries { entry ->
        [entry.variant, told[entry.variant] ?: told["${entry.model} ${entry.point.md5().take(8)}".toString()]]
    }
    return groovy.json.JsonOutput.toJson(losses.findAll { _variant, reason -> reason }.sort())
}

// "killed (exit status 137) after 3 attempts; its log: work/ab/cdef…/.command.log; …"
def lossReason(note) {
    def status = "(exit status ${note.exit})"
    def how = note.exit in [null, Integer.MAX_VALUE]
        ? 'its task was lost, without an exit status'
        : note.exit == 0 ? 'its task ended without a result' : note.exit > 128 ? "killed ${status}" : "its task failed ${status}"
    def attempts = note.attempt > 1 ? " after ${note.attempt} attempts" : ''

    def folder = file(note.folder, glob: false)
    def log = folder.resolve('.command.log')
    def errors = log.exists() ? log.readLines().findAll { line -> line.startsWith('error: ') } : []
    def words = errors ? ": ${errors.last().substring('error: '.size())}" : ''
    def place = log.startsWith(workflow.launchDir) ? workflow.launchDir.relativize(log) : log.toUriString()
    return "${how}${attempts}${words}; its log: ${place}; -resume tries it again".toString()
}
