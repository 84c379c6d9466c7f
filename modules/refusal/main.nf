// What a tool says of an input that it refuses (bin/or-refuse) ends the run, in the user's own words for his files.

include { schemaGroups ; readNames } from '../parameters'

// Ends the run where any of these results of tasks is a refusal. A result is [ what it is of, the file ]; '' is of the whole
// run. `staged` is what stagedNames makes.
def stopIfRefused(results, staged) {
    def refusals = results.findAll { _of, result -> result.name == 'refusal.txt' }
    def told = refusals.groupBy { _of, refusal -> inUsersWords(refusal.text, staged) }
    // Without it the task counts as not done, and -resume asks the tool again.
    refusals.each { _of, refusal -> refusal.delete() }
    if (told) {
        def lines = told.collect { words, alike ->
            def whose = alike.collect { of, _refusal -> of }.unique().sort().join(', ')
            (whose ? "${whose}: ${words}" : words).toString()
        }
        error(lines.sort().join('\n'))
    }
}

// The names that tasks know the input files by, to what the user called them. The first mention of a table that he did
// not give says so.
def stagedNames(given) {
    def properties = schemaGroups().collectEntries { group -> group.properties }
    def named = ['training_params', 'training_seq_orders', 'transcriptome'].findAll { name -> given[name] }.collectEntries { name ->
        def isDefault = "${given[name]}" == "${properties[name].default}".replace('${projectDir}', "${projectDir}")
        def note = isDefault ? " (the default; give --${name})" : ''
        ["${name}/${file(given[name], glob: false).name}".toString(), [path: "${given[name]}".toString(), note: note.toString()]]
    }
    def pickles = given.reads ? readNames(given.reads, given.labels) : []
    return named + [['reads.pkl', 'labels.pkl'], pickles].transpose().collectEntries { name, path -> [name, [path: path, note: '']] }
}

def inUsersWords(words, staged) {
    def told = words.trim().replaceFirst('^error: ', '')
    def anyName = staged.keySet().collect { name -> java.util.regex.Pattern.quote(name) }.join('|')
    def named = told.replaceAll("(?<![\\w./-])(${anyName})") { _all, name -> staged[name].path }
    def noted = staged.values().findAll { names -> names.note }.inject(named) { text, names ->
        text.replaceFirst(java.util.regex.Pattern.quote(names.path), java.util.regex.Matcher.quoteReplacement(names.path + names.note))
    }
    // The tools' options have a dash where the pipeline's parameters have an underscore; those of a service have a prefix.
    return noted
        .replaceAll(/--(token-file|tls-ca|insecure)\b/) { _all, option -> "--service-${option}" }
        .replaceAll(/--[a-z]+(?:-[a-z]+)+/) { option -> '--' + option.substring(2).replace('-', '_') }
}
