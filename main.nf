#!/usr/bin/env nextflow

// Trains the models that label every base of a long read with its segment: a library's row and a hyperparameter grid go
// in, every combination is trained and judged on reads that no model has seen, and a report compares them.
//
//     ./nextflow run . --help

include { helpText ; versionText ; checkedParameters } from './modules/parameters'
include { recordsFolder                              } from './modules/parameters'
include { EXPAND_GRID ; gridEntries ; notesText      } from './modules/expand_grid'
include { hasTrained ; noteTraining                  } from './modules/session'
include { CHECK_SERVICE                              } from './modules/check_service'
include { stopIfRefused ; stagedNames                } from './modules/refusal'
include { SIMULATE                                   } from './modules/simulate'
include { IMPORT_READS                               } from './modules/import_reads'
include { TRAIN                                      } from './modules/train'
include { EXPORT                                     } from './modules/export'
include { lossesText ; forgetLosses                  } from './modules/loss'
include { REPORT ; earlierResults ; replacedText     } from './modules/report'
include { withdrawBest                               } from './modules/report'
include { VERDICT                                    } from './modules/verdict'
include { planText ; verdictText ; outcomeText       } from './modules/outcome'
include { isInterrupted ; interruptedText            } from './modules/outcome'

workflow {
    main:
    if (params.help || params.version) {
        log.info(params.help ? helpText() : versionText())
        return
    }
    def options = checkedParameters(params, args)

    EXPAND_GRID(
        options.training_params,
        options.training_seq_orders,
        options.model_name,
        options.seed,
        workflow.manifest.version,
    )
    EXPAND_GRID.out.words.map { words -> notesText(words) }.filter { notes -> notes }.subscribe { notes -> log.warn(notes) }

    // A session that has trained may go on without a service that is away: what is there needs none.
    CHECK_SERVICE(channel.of(options.service).filter { service -> service && !(workflow.resume && hasTrained()) })

    // A tool that refuses an input, a table or a pickle, ends the run with its message, and so does a service.
    def staged = stagedNames(params)
    grid_ch = EXPAND_GRID.out.grid
        .combine(CHECK_SERVICE.out.refusal.toList().map { refusals -> [refusals] })
        .map { grid, refusals ->
            stopIfRefused(([grid] + refusals).collect { result -> ['', result] }, staged)
            grid
        }
        .first()
    // channel: [ variant:, model:, point:, library:, varying: ]
    entries_ch = grid_ch.flatMap { grid -> gridEntries(grid) }
    entries_ch.toList().filter { entries -> entries }.subscribe { entries ->
        log.info(planText(entries))
        def replaced = replacedText(options.outdir, entries)
        if (replaced) {
            log.warn(replaced)
        }
    }

    // The validation reads are always simulated, from a stream of random numbers of their own; imported reads take the
    // place of the training reads.
    sets_ch = channel.of(['validation', options.num_val_reads])
    if (!options.reads) {
        sets_ch = sets_ch.mix(channel.of(['training', options.num_reads]))
    }
    // channel: [ model, library ]
    libraries_ch = entries_ch.map { entry -> [entry.model, entry.library] }.unique()
    SIMULATE(libraries_ch.combine(sets_ch), options.seed, options.transcriptome, workflow.manifest.version)
    IMPORT_READS(options.reads ? libraries_ch : channel.empty(), options.reads ?: [], options.labels ?: [], workflow.manifest.version)

    // channel: [ model, set, reads ]. Nothing is trained before all of them are there: a refused read ends the run.
    reads_ch = SIMULATE.out.reads
        .mix(IMPORT_READS.out.reads)
        .toList()
        .map { sets ->
            def models = sets.collect { model, _set, _reads -> model }.unique()
            stopIfRefused(sets.collect { model, _set, reads -> [models.size() > 1 ? model : '', reads] }, staged)
            // None at all is how a run ends that was refused before.
            if (sets) {
                noteTraining()
            }
            sets
        }
        .flatMap { sets -> sets }
    // channels: [ model, reads ]
    training_ch = reads_ch.filter { _model, set, _reads -> set == 'training' }.map { model, _set, reads -> [model, reads] }
    validation_ch = reads_ch.filter { _model, set, _reads -> set == 'validation' }.map { model, _set, reads -> [model, reads] }

    // TRAIN is told no index: a grid that grows moves the indices and must not train anything twice.
    TRAIN(
        entries_ch
            .map { entry -> [entry.model, entry.point] }
            .combine(training_ch.join(validation_ch), by: 0)
    )

    // EXPORT gives each run its place in this grid back. channel: [ model, variant, run, validation ]
    EXPORT(
        entries_ch
            .map { entry -> [entry.point, entry.model, entry.variant] }
            .join(TRAIN.out.run)
            .map { _point, model, variant, run -> [model, variant, run] }
            .combine(validation_ch, by: 0)
    )

    // What has no outcome is not among the variants, but in the grid: the report lists it as missing, with its task's end.
    variants_ch = EXPORT.out.variant.toSortedList { a, b -> a.name <=> b.name }
    losses_ch = grid_ch
        .combine(variants_ch.map { variants -> [variants] })
        .map { grid, _variants -> lossesText(gridEntries(grid)) }
        .first()
    REPORT(
        grid_ch,
        variants_ch,
        variants_ch.map { variants -> earlierResults(options.outdir, variants) },
        losses_ch,
    )
    VERDICT(REPORT.out.leaderboard.map { leaderboard -> [verdictText(leaderboard), leaderboard] })

    // Once there is a report, so that a run that is ending has nothing left to write.
    EXPAND_GRID.out.versions
        .mix(SIMULATE.out.versions, IMPORT_READS.out.versions, REPORT.out.versions)
        .map { process, tool, version -> "${process}\t${tool}\t${version}\n" }
        .unique()
        .toList()
        .combine(REPORT.out.leaderboard)
        .flatMap { found -> found.init() }
        .collectFile(name: 'versions.tsv', storeDir: "${options.outdir}/${recordsFolder()}", sort: true)

    def made = [:]
    REPORT.out.leaderboard.subscribe { leaderboard ->
        made.leaderboard = leaderboard
        withdrawBest(options.outdir, leaderboard)
    }
    REPORT.out.summary.subscribe { summary -> made.summary = summary }
    variants_ch.subscribe { variants -> made.variants = variants }
    workflow.onComplete = {
        forgetLosses()
        if (made.summary || isInterrupted()) {
            log.info(isInterrupted() ? interruptedText() : outcomeText(made, options.outdir))
        }
    }
}
