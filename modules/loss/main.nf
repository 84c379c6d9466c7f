// Combinations whose task failed and gets no further try (conf/modules.config), and how that task ended, for the report.
// Such a task has no output, so the closure that gives it up notes its end in a folder of this run's. It is called before
// the process counts the task as done: once the process's channel is closed, every note is there.

// The error strategy of a task that is given up. `of` is its variant, or the digest of its point where it knows no index.
def leftOut(task, of) {
    def note = [of: of, exit: task.exitStatus, attempt: task.attempt, folder: task.workDir.toUriString()]
    try {
        java.nio.file.Files.createDirectories(notesFolder())
        java.nio.file.Files.writeString(notesFolder().resolve("${of}.json"), groovy.json.JsonOutput.toJson(note))
    }
    catch (java.io.IOException e) {
        log.warn("the report will not say how ${task.name} ended: ${e}")
    }
    return 'ignore'
}

def notesFolder() {
    return workflow.workDir.resolve("lost/${workflow.runName}")
}

// variant → reason, as JSON on one line. To be called when no task of a combination is left.
def lossesText(entries) {
    def notes = notesFolder().exists() ? notesFolder().listFiles() : []
    def told = notes.collectEntries { path ->
        def note = new groovy.json.JsonSlurper().parseText(path.text)
        [note.of, lossReason(note)]
    }
    // TRAIN knows its combination, EXPORT its place in the grid.
    def losses = entries.collectEntries { entry -> [entry.variant, told[entry.variant] ?: told[entry.point.md5()]] }
    return groovy.json.JsonOutput.toJson(losses.findAll { _variant, reason -> reason }.sort())
}

// Once the run has ended nobody asks for the notes.
def forgetLosses() {
    if (notesFolder().exists()) {
        notesFolder().deleteDir()
    }
    if (notesFolder().parent.exists() && !notesFolder().parent.listFiles()) {
        notesFolder().parent.deleteDir()
    }
}

// "killed (exit status 137) after 3 attempts; its log: work/ab/cdef…/.command.log; …"
def lossReason(note) {
    def status = "(exit status ${note.exit})"
    def how = note.exit in [null, Integer.MAX_VALUE]
        ? 'its task was lost, without an exit status'
        : note.exit == 0 ? 'its task ended without a result' : note.exit in (129..192) ? "killed ${status}" : "its task failed ${status}"
    def attempts = note.attempt > 1 ? " after ${note.attempt} attempts" : ''

    def folder = file(note.folder, glob: false)
    def log = folder.resolve('.command.log')
    def words = lastWords(log.exists() ? log.readLines() : [], note.exit)
    def place = log.startsWith(workflow.launchDir) ? workflow.launchDir.relativize(log) : log.toUriString()
    return "${how}${attempts}${words}; its log: ${place}; -resume tries it again".toString()
}

// What a task said at its end: the last error, else the last line, but for what was killed at whatever it was saying.
def lastWords(lines, exit) {
    def errors = lines.findAll { line -> line.startsWith('error: ') }.collect { line -> line.substring('error: '.size()) }
    def said = exit in (1..128) ? lines.findAll { line -> line.trim() } : []
    def last = errors ?: said
    return last ? ": ${last.last().trim().take(240)}" : ''
}
