import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import nextflow.config.control.ConfigParser;
import nextflow.script.control.Compiler;
import nextflow.script.control.ScriptParser;
import org.codehaus.groovy.control.SourceUnit;
import org.codehaus.groovy.control.messages.ExceptionMessage;
import org.codehaus.groovy.control.messages.SyntaxErrorMessage;
import org.codehaus.groovy.control.messages.WarningMessage;

/**
 * Checks Nextflow scripts and configuration against the strict syntax, with the parser behind `nextflow lint`.
 *
 * <p>Takes files and folders; a folder stands for every .nf and .config file in it. Prints one line a finding,
 * FILE:LINE:COLUMN: message, and exits 1 when there is one (warnings of what a later Nextflow will refuse count), 2 when
 * it is called wrongly.
 */
public final class Lint {
    private record Finding(Path file, int line, int column, String text) {
        @Override
        public String toString() {
            return file + ":" + line + ":" + column + ": " + text;
        }
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length == 0) {
            System.err.println("usage: tools/nf-lint/lint FILE_OR_FOLDER …");
            System.exit(2);
        }
        List<Path> files = new ArrayList<>();
        for (String argument : arguments) {
            collect(Path.of(argument), files);
        }
        if (files.isEmpty()) {
            System.err.println("error: no .nf or .config file in " + String.join(", ", arguments));
            System.exit(2);
        }

        var scripts = new ScriptParser();
        var configs = new ConfigParser();
        for (Path file : files) {
            if (isScript(file)) {
                scripts.parse(file.toFile());
            } else {
                configs.parse(file.toFile());
            }
        }
        scripts.analyze();
        configs.analyze();

        List<Finding> findings = new ArrayList<>();
        report(scripts.compiler(), findings);
        report(configs.compiler(), findings);
        findings.sort(Comparator.comparing(Finding::file).thenComparing(Finding::line));
        findings.forEach(System.out::println);
        System.out.println(files.size() + " files, " + findings.size() + " findings");
        System.exit(findings.isEmpty() ? 0 : 1);
    }

    private static void collect(Path start, List<Path> files) throws IOException {
        if (!Files.exists(start)) {
            System.err.println("error: " + start + ": no such file or folder");
            System.exit(2);
        }
        try (var found = Files.walk(start)) {
            found.filter(file -> isScript(file) || file.toString().endsWith(".config")).sorted().forEach(files::add);
        }
    }

    private static boolean isScript(Path file) {
        return file.toString().endsWith(".nf");
    }

    private static void report(Compiler compiler, List<Finding> findings) {
        for (SourceUnit source : compiler.getSources().values()) {
            Path file = Path.of(source.getName());
            var collector = source.getErrorCollector();
            if (collector.getErrors() != null) {
                for (var message : collector.getErrors()) {
                    if (message instanceof SyntaxErrorMessage error) {
                        var cause = error.getCause();
                        findings.add(new Finding(
                                file, cause.getStartLine(), cause.getStartColumn(), cause.getOriginalMessage()));
                    } else if (message instanceof ExceptionMessage failure) {
                        findings.add(new Finding(file, 0, 0, failure.getCause().toString()));
                    }
                }
            }
            if (collector.getWarnings() != null) {
                for (WarningMessage warning : collector.getWarnings()) {
                    var context = warning.getContext();
                    findings.add(
                            new Finding(file, context.getStartLine(), context.getStartColumn(), warning.getMessage()));
                }
            }
        }
    }
}
