// Asks the standing service whether it would train for this pipeline, before anything is simulated for it. Where it does
// not answer, lets nobody in, lets us only read or is of another version, refusal.txt says so.
process CHECK_SERVICE {
    tag "${service}"
    label 'process_light'
    cache false

    input:
    val service

    output:
    path 'refusal.txt', emit: refusal, optional: true

    // Where it is and what lets us in come by the environment, as in TRAIN.
    script:
    """
    or-refuse readlabel health --training \${READLABEL_INSECURE:+--insecure}
    """

    stub:
    """
    true
    """
}
