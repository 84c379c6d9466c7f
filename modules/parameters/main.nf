// The pipeline's parameters: the help text, and the check of every given value, both made from nextflow_schema.json.

def schemaGroups() {
    def schema = new groovy.json.JsonSlurper().parseText(file("${projectDir}/nextflow_schema.json").text)
    return schema['$defs'].values()
}

def versionText() {
    return "${workflow.manifest.name} ${workflow.manifest.version}"
}

// What --help prints.
def helpText() {
    def groups = schemaGroups().collect { group ->
        def rows = group.properties.collect { name, property -> parameterHelp(name, property) }
        (["${group.title}: ${group.description}"] + rows).join('\n')
    }
    return """\
        |${versionText()}: train the models that label every base of a long sequencing read with its segment
        |
        |    ./nextflow run . --model_name NAME[,NAME|all] --training_seq_orders ORDERS.tsv --training_params PARAMS.tsv
        |    ./nextflow run . -profile demo                   a demonstration on simulated reads
        |    the same command with -resume                    goes on, and trains only what is new
        |
        |""".stripMargin() + groups.join('\n\n') + '\n'
}

def parameterHelp(name, property) {
    def value = property.containsKey('default') ? "${property.default}".replace('${projectDir}/', '') : ''
    def words = property.description.tokenize(' ') + (value ? ["[default: ${value}]".toString()] : [])
    def kind = [integer: 'whole number', number: 'number', boolean: 'true|false', string: 'text'][property.type]
    if (property.format) {
        kind = 'path'
    }
    return wrapped(words, 72).withIndex().collect { line, i ->
        (i == 0 ? "  --${name}".padRight(25) + kind.padRight(14) : ' ' * 39) + line
    }.join('\n')
}

def wrapped(words, width) {
    return words.inject(['']) { lines, word ->
        if (!lines.last()) {
            return lines.init() + word
        }
        return lines.last().size() + word.size() < width ? lines.init() + "${lines.last()} ${word}".toString() : lines + word
    }
}

// Every parameter with its type, input files as files; one error that names every problem. `words` are what the command line
// holds besides parameters.
def checkedParameters(given, words) {
    def properties = schemaGroups().collectEntries { group -> group.properties }
    def required = schemaGroups().collectMany { group -> group.required ?: [] }
    required = required + properties.findAll { _name, property -> property.containsKey('default') }.keySet()

    def checked = properties.collectEntries { name, property -> [name, checkedValue(name, given[name], property)] }
    def problems = unknownParameters(given, properties.keySet()) + strayWords(words)
    problems = problems + checked.values().findAll { result -> result.problem }.collect { result -> result.problem }
    required.each { name ->
        if (checked[name].value == null && !checked[name].problem) {
            problems = problems + "--${name} is needed: ${properties[name].description}"
        }
    }
    def options = checked.collectEntries { name, result -> [name, result.value] }
    if (!problems) {
        problems = problems + contradictions(options)
    }
    if (!problems) {
        problems = problems + unwritable(options.outdir)
    }
    if (problems) {
        withdrawRecords(given.outdir)
        def head = problems.size() == 1 ? '' : "${problems.size()} parameters cannot be used:\n  - "
        error(head + problems.join('\n  - ') + '\nEvery parameter and its default: ./nextflow run . --help')
    }

    def reads = options.reads ? readPair(options) : [null, null]
    return options + [
        training_params: file(options.training_params, glob: false),
        training_seq_orders: file(options.training_seq_orders, glob: false),
        transcriptome: options.transcriptome ? file(options.transcriptome, glob: false) : [],
        reads: reads[0],
        labels: reads[1],
    ]
}

// Where a launch's own records are (conf/records.config), from the results' folder.
def recordsFolder() {
    return "pipeline_info/${java.lang.management.ManagementFactory.runtimeMXBean.with { vm -> String.format('%1$tF_%1$tH-%1$tM-%1$tS.%1$tL_%2$d', vm.startTime, vm.pid) }}"
}

// A launch that runs nothing leaves no results behind: Nextflow's records are removed when it has written them, and with them
// the folders that hold nothing else.
def withdrawRecords(outdir) {
    def folder = outdir instanceof Boolean || !outdir ? null : file(outdir, glob: false)
    def records = folder?.scheme == 'file' ? folder.resolve(recordsFolder()) : null
    if (!records?.exists()) {
        return
    }
    def removal = {
        records.deleteDir()
        [records.parent, folder].each { holder ->
            if (!holder.listFiles()) {
                holder.deleteDir()
            }
        }
    }
    Runtime.getRuntime().addShutdownHook(new Thread(removal))
}

// [ value:, problem: ]; null is the value of a parameter that was not given.
def checkedValue(name, value, property) {
    if (value == null) {
        return [value: null]
    }
    def parsed = parsedValue(value, property.type)
    def wrong = [value: null, problem: "--${name}: ${faultOf(value, property)}; it takes ${allowed(property)}"]
    if (parsed == null) {
        return wrong
    }
    if (property.minimum != null && parsed < property.minimum || property.maximum != null && parsed > property.maximum) {
        return wrong
    }
    if (property.pattern && !(parsed =~ property.pattern)) {
        return wrong
    }
    if (property.exists && !file(parsed, glob: false).exists()) {
        return [value: null, problem: "--${name}: there is no file or folder '${parsed}'"]
    }
    return [value: parsed]
}

// What is wrong with a value, as far as it tells of a slip. A parameter without a value arrives as true.
def faultOf(value, property) {
    if (value instanceof Boolean && value && property.type != 'boolean') {
        return 'a value is missing'
    }
    def slip = property.type == 'number' && "${value}" ==~ /-?[0-9]*,[0-9]+/ ? ', for a decimal has a point' : ''
    return "'${value}' is not allowed${slip}"
}

// The command line gives text, numbers or booleans as they look, a parameter file its own types; null if it does not fit.
def parsedValue(value, type) {
    def text = "${value}".toString()
    if (type == 'integer') {
        return text ==~ /-?[0-9]{1,18}/ ? text as Long : null
    }
    if (type == 'number') {
        return text ==~ /-?[0-9]*\.?[0-9]+([eE]-?[0-9]{1,3})?/ ? text as BigDecimal : null
    }
    if (type == 'boolean') {
        return text.toLowerCase() in ['true', 'false'] ? text.toLowerCase() == 'true' : null
    }
    // `--outdir` with nothing after it arrives as true.
    return value instanceof Boolean || text.trim().isEmpty() ? null : text
}

def allowed(property) {
    def kind = [integer: 'a whole number', number: 'a number', boolean: 'true or false', string: 'a text'][property.type]
    if (property.errorMessage) {
        return property.errorMessage
    }
    if (property.minimum != null && property.maximum != null) {
        return "${kind} from ${property.minimum} to ${property.maximum}"
    }
    if (property.minimum != null) {
        return "${kind} of ${property.minimum} or more"
    }
    return property.format ? 'a path' : kind
}

// Nextflow adds to --a-name an alias aName, and the other way round: both are one mistake.
def unknownParameters(given, known) {
    def strangers = given.keySet().findAll { name -> !(name in known) }
    return strangers.groupBy { name -> name.replace('-', '').toLowerCase() }.values().collect { aliases ->
        def name = aliases.find { alias -> alias.contains('-') } ?: aliases[0]
        if (name in ['bg', 'c', 'params-file', 'profile', 'resume', 'stub-run', 'w', 'work-dir']) {
            return "--${name}: is an option of Nextflow's; did you mean -${name}, with one dash?"
        }
        def near = known.find { other -> other.replace('_', '') == name.replaceAll('[-_]', '').toLowerCase() }
        near = near ?: known.toList().closest(name).find { _other -> true }
        "--${name}: there is no such parameter" + (near ? "; did you mean --${near}?" : '')
    }
}

// Words that are no parameter's value. Nextflow leaves a `true` of its flag -stub-run among them.
def strayWords(words) {
    def stray = workflow.stubRun ? words - 'true' : words
    return stray
        ? ["'${stray.join(' ')}' belongs to no parameter: a parameter is --name value, and a value that holds spaces stands in quotes"]
        : []
}

def contradictions(options) {
    def problems = []
    if (options.min_cdna > options.max_cdna) {
        problems = problems + "--min_cdna: ${options.min_cdna} is more than --max_cdna, ${options.max_cdna}"
    }
    if (options.labels && !options.reads) {
        problems = problems + '--labels: --reads is needed too'
    }
    if (options.reads) {
        problems = problems + readPair(options).findAll { path -> !path.exists() }.collect { path ->
            "--reads: there is no '${path}'; give reads.pkl with --labels labels.pkl, or a folder that holds both"
        }
    }
    def lonely = ['service_token_file', 'service_tls_ca', 'service_insecure'].findAll { name -> options[name] }
    if (!options.service) {
        problems = problems + lonely.collect { name -> "--${name}: --service is needed too" }
    }
    return problems
}

// The two pickles: given one by one, or the folder that holds both.
def readPair(options) {
    return readNames(options.reads, options.labels).collect { path -> file(path, glob: false) }
}

// Their paths as the user would write them.
def readNames(reads, labels) {
    def path = "${reads}".toString()
    def isFolder = file(path, glob: false).isDirectory()
    def folder = isFolder ? path.replaceFirst('/*$', '/') : path.substring(0, path.lastIndexOf('/') + 1)
    return [isFolder ? "${folder}reads.pkl".toString() : path, labels ? "${labels}".toString() : "${folder}labels.pkl".toString()]
}

// Found out at the start, not after hours of training. An object store is not tried.
def unwritable(outdir) {
    def folder = file(outdir, glob: false)
    if (folder.scheme && folder.scheme != 'file') {
        return []
    }
    try {
        java.nio.file.Files.createDirectories(folder)
        java.nio.file.Files.delete(java.nio.file.Files.createTempFile(folder, '.readlabel', '.check'))
    }
    catch (java.io.IOException e) {
        def kind = e.class.simpleName
        def words = e instanceof java.nio.file.FileSystemException ? e.reason : e.message
        def why = kind == 'FileAlreadyExistsException' || words == 'Not a directory' ? 'a file is in its way' : words
        why = java.nio.file.Files.isSymbolicLink(folder) ? 'it is a link to nowhere' : why
        why = kind == 'AccessDeniedException' ? 'permission denied' : why ?: 'no folder can be made there'
        return ["--outdir: the folder '${folder}' cannot be written: ${why}"]
    }
    // One variant with its drawings takes a few MB. (A file system that does not know its size says 0 of 0.)
    def store = java.nio.file.Files.getFileStore(folder)
    return store.totalSpace && store.usableSpace < 16 * 1024 * 1024
        ? ["--outdir: the disk of '${folder}' is full: ${megabytes(store.usableSpace)} are free, and results take more than 16 MB"]
        : []
}

def megabytes(bytes) {
    return "${(bytes / 1024 / 1024).setScale(1, java.math.RoundingMode.DOWN)} MB"
}
