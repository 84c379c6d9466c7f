// What Nextflow makes of this checkout's configuration, in one start of Java for any number of cases.
//
//     java -cp 'build/nextflow/<version>/*' groovy.ui.GroovyMain Render.groovy CHECKOUT < cases.json > rendered.json
//
// A case: { profile:, params: { name: value }, workDir:, process:, labels: [], attempt:, exits: [] }. What comes of it, by
// Nextflow's own classes, from the builder of its configuration to the script that starts a task: { config:, task:,
// strategies: { exit status: error strategy }, command: }, and pod: where the executor is Kubernetes.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.nio.file.Files
import java.nio.file.Path
import nextflow.Session
import nextflow.cli.CliOptions
import nextflow.cli.CmdRun
import nextflow.config.ConfigBuilder
import nextflow.executor.BashWrapperBuilder
import nextflow.k8s.K8sExecutor
import nextflow.k8s.K8sTaskHandler
import nextflow.k8s.client.K8sClient
import nextflow.k8s.client.ClientConfig
import nextflow.processor.TaskBean
import nextflow.processor.TaskConfig
import nextflow.processor.TaskId
import nextflow.processor.TaskProcessor
import nextflow.processor.TaskRun
import nextflow.script.ProcessConfig

/** A run that has not begun; several cases share one. */
def session(Path checkout, Map given, Map known) {
    return known.computeIfAbsent([given.profile, given.params]) { _key ->
        def command = new CmdRun(profile: given.profile ?: null, params: given.params ?: [:])
        def config = new ConfigBuilder().setOptions(new CliOptions()).setCmdRun(command).setBaseDir(checkout).build()
        def session = new Session(config)
        session.baseDir = checkout
        return session
    }
}

/** The directives of a task, evaluated as for its given attempt, or for one that ended with an exit status. */
def directives(Session session, Map given, Integer exit = null) {
    def process = new ProcessConfig([:])
    given.labels.each { label -> process.label(label) }
    // What modules/loss says in TRAIN and EXPORT, beside the note that it leaves.
    process.ext([left_out: 'ignore'])
    process.applyConfig(session.config.process as Map, given.process, given.process, given.process)
    def engine = session.containerConfig
    def task = new TaskConfig(new LinkedHashMap(process.subMap(process.keySet())))
    task.put('attempt', given.attempt ?: 1)
    task.put('process', given.process)
    if (exit != null) {
        task.put('exitStatus', exit)
    }
    def workflow = [workDir: workFolder(given.workDir ?: '/a folder/work'), runName: 'a_run', containerEngine: engine.enabled ? engine.engine : null]
    task.setContext([task: task, workflow: workflow, params: session.config.params, projectDir: session.baseDir])
    return task
}

def wrapper(Session session, TaskConfig task, Path folder) {
    def bean = new TaskBean()
    bean.name = 'a task'
    bean.workDir = folder
    bean.targetDir = folder
    bean.script = 'true'
    bean.shell = BashWrapperBuilder.BASH
    bean.environment = new HashMap(session.config.env ?: [:])
    bean.beforeScript = task.beforeScript
    bean.containerConfig = session.containerConfig
    bean.containerEnabled = session.containerConfig.enabled
    bean.containerImage = task.container
    bean.containerOptions = task.containerOptions
    bean.containerCpus = task.cpus
    bean.containerMemory = task.memory
    bean.inputFiles = [:]
    bean.outputFiles = []
    bean.binDirs = []
    new BashWrapperBuilder(bean).build()
    def script = folder.resolve('.command.run').text
    return (script =~ /(?s)nxf_launch\(\) \{\n(.*?)\n\}/)[0][1].replace("$folder", '/task').trim()
}

def pod(Session session, TaskConfig task, Path folder) {
    def client = new K8sClient(new ClientConfig(namespace: session.config.k8s.namespace))
    def executor = [getSession: { -> session }, getName: { -> 'k8s' }, getClient: { -> client }, isFusionEnabled: { -> false }] as K8sExecutor
    executor.session = session
    def processor = [getName: { -> task.process }, getSession: { -> session }, getExecutor: { -> executor }] as TaskProcessor
    def run = new TaskRun(id: TaskId.of(1), name: 'a task', workDir: folder, config: task, processor: processor)
    return new K8sTaskHandler(run, executor).newSubmitRequest0(run, task.container)
}

def render(Session session, Map given) {
    def folder = Files.createTempDirectory('task')
    try {
        def task = directives(session, given)
        def names = ['executor', 'queue', 'cpus', 'memory', 'time', 'container', 'containerOptions', 'clusterOptions', 'machineType', 'beforeScript', 'maxForks']
        def made = [
            config: session.config.subMap(['docker', 'podman', 'singularity', 'apptainer', 'charliecloud', 'aws', 'google', 'azure', 'k8s', 'executor']),
            task: names.collectEntries { name -> [name, task[name] instanceof Number ? task[name] : task[name]?.toString()] } + [
                accelerator: task.accelerator ? [request: task.accelerator.request, limit: task.accelerator.limit, type: task.accelerator.type] : null,
                checkpoint_dir: task.ext.checkpoint_dir?.toString(),
            ],
            strategies: (given.exits ?: []).collectEntries { exit ->
                ["$exit".toString(), "${directives(session, given, exit).errorStrategy}".toString()]
            },
            command: wrapper(session, task, folder),
        ]
        return task.executor == 'k8s' ? made + [pod: pod(session, task, folder)] : made
    }
    finally {
        folder.deleteDir()
    }
}

/** What the configuration asks of a work folder; the plugins that know object stores are not here. */
def workFolder(String address) {
    if (!address.contains('://')) {
        return Path.of(address)
    }
    return [
        toUri: { -> URI.create(address) },
        toUriString: { -> address },
        resolve: { name -> workFolder("${address}/${name}") },
    ]
}

def checkout = Path.of(args[0])
def cases = new JsonSlurper().parse(System.in)
def shown = System.out
System.setOut(System.err)
def known = [:]
def rendered = cases.collect { given -> render(session(checkout, given, known), given) }
shown.println(JsonOutput.toJson(rendered))
