"""Parameters: described in one place, explained, and checked before anything runs."""

from __future__ import annotations

import inspect
import json
import subprocess

import jsonschema
import pytest

from readlabel import __version__
from readlabel.cli.simulate import main as simulate

# What modules/parameters knows how to check; a schema that says more would promise checks that nobody makes.
CHECKED = {"type", "default", "description", "minimum", "maximum", "pattern", "format", "exists", "errorMessage"}


@pytest.fixture(scope="module")
def properties(root):
    schema = json.loads((root / "nextflow_schema.json").read_text())
    return {name: value for group in schema["$defs"].values() for name, value in group["properties"].items()}


@pytest.fixture(scope="module")
def config(root, shared_launch):
    """nextflow.config as Nextflow reads it."""
    command = [str(root / "nextflow"), "config", "-o", "json", str(root)]
    done = subprocess.run(command, env=shared_launch.environment(), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_schema_and_the_configuration_name_the_same_parameters_with_the_same_defaults(config, properties, root):
    described = {
        name: value["default"].replace("${projectDir}", str(root))
        if isinstance(value.get("default"), str)
        else value.get("default")
        for name, value in properties.items()
    }
    assert {name: value for name, value in config["params"].items() if value is not None} == {
        name: value for name, value in described.items() if value is not None
    }
    assert set(config["params"]) == set(described)


def test_the_schema_is_valid_and_promises_no_check_that_is_not_made(root, properties):
    jsonschema.Draft202012Validator.check_schema(json.loads((root / "nextflow_schema.json").read_text()))
    assert {keyword for value in properties.values() for keyword in value} <= CHECKED
    assert all(value["description"] for value in properties.values())


def test_every_option_of_the_simulator_is_a_parameter_with_its_default(properties):
    of_the_pipeline = {"out", "library", "training_seq_orders", "model_name", "stream", "pkl", "threads"}
    options = {
        name: option.default for name, option in inspect.signature(simulate).parameters.items()
        if name not in of_the_pipeline
    }  # fmt: skip
    assert options == {name: properties[name].get("default") for name in options}


def test_the_version_is_the_packages(config):
    assert config["manifest"]["version"] == __version__
    assert config["params"]["image_tag"] == __version__


def test_help_lists_every_parameter_with_its_default_and_writes_no_results(launch, properties):
    shown = launch.run("--help")
    assert shown.exit_status == 0
    for name, value in properties.items():
        assert f"\n  --{name} " in shown.output, name
        default = value.get("default")
        if default is not None:
            text = str(default).lower() if isinstance(default, bool) else str(default).replace("${projectDir}/", "")
            entry = shown.output.split(f"\n  --{name} ")[1].split("\n  --")[0]
            assert f"[default: {text}]" in entry, name
    assert not shown.outdir.exists()


def test_every_wrong_parameter_is_named_at_once_with_what_is_allowed(launch):
    refused = launch.run(
        "--model_name", "10x3p_sc_ont", "--nmu_reads", "5", "--num-val-reads", "5", "--num_reads", "many",
        "--mismatch_rate", "1.5", "--transcriptome", "missing.fa", "--rc", "maybe", "--train_memory", "lots",
        "--deletion_rate", "0,01", "--min_cdna", "--resume",
    )  # fmt: skip
    assert refused.exit_status == 1
    for message in (
        "10 parameters cannot be used",
        "--resume: is an option of Nextflow's; did you mean -resume, with one dash?",
        "--nmu_reads: there is no such parameter; did you mean --num_reads?",
        "--num-val-reads: there is no such parameter; did you mean --num_val_reads?",
        "--num_reads: 'many' is not allowed; it takes a whole number of 1 or more",
        "--mismatch_rate: '1.5' is not allowed; it takes a number from 0 to 1",
        "--deletion_rate: '0,01' is not allowed, for a decimal has a point; it takes a number from 0 to 1",
        "--min_cdna: a value is missing; it takes a whole number from 1 to 1000000",
        "--transcriptome: there is no file or folder 'missing.fa'",
        "--rc: 'maybe' is not allowed; it takes true or false",
        "--train_memory: 'lots' is not allowed; it takes an amount with its unit",
    ):
        assert message in refused.output
    assert not refused.outdir.exists()


def test_words_that_belong_to_no_parameter_are_refused_but_not_nextflows_own_flags(launch):
    refused = launch.run("outdir", "my", "-stub-run", "--num_reads", "5")
    assert refused.exit_status == 1
    assert "'outdir my' belongs to no parameter: a parameter is --name value, and a value" in refused.output
    assert "--model_name is needed" in refused.output
    assert not refused.outdir.exists()
    flags = ["-stub-run", "-ansi-log", "false", "-with-trace", "-cache", "false"]
    taken = launch.run("--model_name", "10x3p_sc_ont", *flags)
    assert taken.exit_status == 0, taken.output


def test_parameters_that_contradict_each_other_are_refused(launch):
    labels = launch.folder / "labels.pkl"
    labels.touch()
    refused = launch.run("--model_name", "all", "--min_cdna", "600", "--labels", str(labels), "--service_insecure")
    assert refused.exit_status == 1
    assert "--min_cdna: 600 is more than --max_cdna, 500" in refused.output
    assert "--labels: --reads is needed too" in refused.output
    assert "--service_insecure: --service is needed too" in refused.output


def test_an_output_folder_that_cannot_be_written_is_refused_before_anything_runs(launch):
    (launch.folder / "file").touch()
    (launch.folder / "link").symlink_to("nowhere")
    for outdir, told in (
        (f"{launch.folder}/file/results", "a file is in its way"),
        (f"{launch.folder}/link", "it is a link to nowhere"),
        ("/proc/results", "no folder can be"),
    ):
        refused = launch.run("--model_name", "10x3p_sc_ont", outdir=outdir)
        assert refused.exit_status == 1
        assert f"--outdir: the folder '{outdir}' cannot be written: {told}" in refused.output
    assert not (launch.folder / "work").exists() or not any((launch.folder / "work").iterdir())
