// The session that a launch belongs to, and its goes on by -resume: whether it got to train.

// A mark for `./nextflow run … -resume` (tools/nextflow/resume), which goes on from such a session. A stub trains nothing.
def noteTraining() {
    def folder = sessionFolder()
    if (!workflow.stubRun && folder.exists() && !hasTrained()) {
        java.nio.file.Files.createFile(folder.resolve('trained'))
    }
}

def hasTrained() {
    return sessionFolder().resolve('trained').exists()
}

// Where Nextflow keeps what it knows of a session's tasks.
def sessionFolder() {
    def launches = System.getenv('NXF_CACHE_DIR') ?: '.nextflow'
    return workflow.launchDir.resolve(launches).resolve("cache/${workflow.sessionId}")
}
