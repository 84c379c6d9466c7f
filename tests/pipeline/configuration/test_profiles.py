"""The profiles, as Nextflow's own classes read them: what each task would be given, and how its container would start.

All cases are rendered in one start of Java (Render.groovy). What Podman and Slurm make of theirs: the folders beside.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest

LABELS = {"TRAIN": "process_gpu"}
ENGINES = ("docker", "podman", "singularity", "apptainer", "charliecloud")
CLOUDS = ("awsbatch", "google-batch", "azurebatch", "k8s")
PROCESSES = ("EXPAND_GRID", "CHECK_SERVICE", "SIMULATE", "IMPORT_READS", "TRAIN", "EXPORT", "REPORT", "VERDICT")
# The tools' own words for trouble around them, a lost connection, signals, a lost node; 50001 is Google's for a machine
# that was taken back, and the last one Nextflow's for no exit status at all, as AWS leaves one.
AGAIN = (69, 70, 73, 75, 104, *range(130, 146), 175, 50001, 2**31 - 1)
NEVER = (1, 2, 64, 65)

Case = dict[str, object]


def case(
    profile: str, process: str = "TRAIN", work_dir: str = "/a folder/work", attempt: int = 1, **params: object
) -> Case:
    labels = [LABELS.get(process, "process_light")]
    exits = [] if profile else [*AGAIN, *NEVER]
    return {
        "profile": profile, "process": process, "labels": labels, "attempt": attempt, "exits": exits,
        "workDir": work_dir, "params": params,
    }  # fmt: skip


CASES: dict[str, Case] = (
    {f"{engine} {process}": case(engine, process) for engine in ENGINES for process in PROCESSES}
    | {f"{engine} gpu": case(engine, gpus=2) for engine in ENGINES}
    | {f"{engine} unix": case(engine, service="unix:/run/lab/s.sock", gpus=2) for engine in ENGINES}
    | {
        f"{engine} tcp": case(engine, service="host:50051", service_token_file="/s/token", service_tls_ca="/s/ca.pem")
        for engine in ENGINES
    }
    | {
        f"{engine} check": case(engine, "CHECK_SERVICE", service="host:50051", service_token_file="/s/token")
        for engine in ENGINES
    }
    | {f"{process} service": case("", process, service="host:50051") for process in ("TRAIN", "EXPORT")}
    | {f"{process} {attempt}": case("", process, attempt=attempt) for process in PROCESSES for attempt in (1, 2, 3)}
    | {
        "limited": case("", attempt=3, max_memory="5 GB", max_cpus=1, max_time="2 h"),
        "docker store": case("docker", checkpoint_dir="s3://lab/checkpoints"),
        "slurm": case("slurm", queue="long,short", account="lab", gpus=2, gpu_type="a100"),
        "slurm light": case("slurm", "REPORT", queue="long,short", account="lab", gpus=2, gpu_type="a100"),
        "slurm big": case("slurm", train_memory="900 GB", train_cpus=128),
        "slurm,apptainer": case("slurm,apptainer", gpus=1),
        "slurm,podman": case("slurm,podman"),
        "awsbatch": case(
            "awsbatch", work_dir="s3://lab/work", queue="gpu-spot", region="eu-west-1", gpus=1,
            registry="1234.dkr.ecr.eu-west-1.amazonaws.com/readlabel", image_tag="0.1.0-gpu",
        ),
        "google-batch": case(
            "google-batch", work_dir="gs://lab/work", project="lab", region="europe-west4", gpus=1,
            gpu_type="nvidia-tesla-t4", machine_type="n1-standard-8", spot=True,
            registry="europe-docker.pkg.dev/lab/readlabel",
        ),
        "google-batch light": case(
            "google-batch", "EXPORT", work_dir="gs://lab/work", machine_type="n1-standard-8", gpus=1,
        ),
        "google-batch check": case("google-batch", "CHECK_SERVICE", work_dir="gs://lab/work", service="host:50051"),
        "azurebatch": case(
            "azurebatch", work_dir="az://lab/work", region="westeurope", machine_type="Standard_NC4as_T4_v3", spot=True,
            registry="lab.azurecr.io/readlabel",
        ),
        "azurebatch pool": case("azurebatch", work_dir="az://lab/work", queue="gpus", gpus=1),
        "k8s": case(
            "k8s", work_dir="/data/work", namespace="lab", storage_claim="scratch", storage_path="/data", gpus=1,
        ),
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def rendered(root: Path) -> dict[str, dict]:
    """Each case as Nextflow renders it."""
    jars = root / "build" / "nextflow" / "24.10.0"
    subprocess.run([root / "tools/fetch-jars", root / "tools/nextflow/pom.xml", jars, "Nextflow 24.10.0"], check=True)
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if os.environ.get("JAVA_HOME") else "java"
    opens = [
        word for package in ("java.lang", "java.io", "java.nio", "java.util", "sun.nio.ch", "sun.nio.fs")
        for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")
    ]  # fmt: skip
    script = Path(__file__).with_name("Render.groovy")
    command = [java, *opens, "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "groovy.ui.GroovyMain", script, root]
    given = json.dumps(list(CASES.values()))
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, "\n".join(line for line in done.stderr.splitlines() if " DEBUG " not in line)
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def words(rendered: dict) -> list[str]:
    """The command that starts a task's container, as a shell would split it."""
    return shlex.split(rendered["command"])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_process_runs_in_its_image_under_an_engine(rendered, engine):
    images = {process: rendered[f"{engine} {process}"]["task"]["container"].split("/")[-1] for process in PROCESSES}
    assert images == dict.fromkeys(PROCESSES, "data:0.1.0") | {
        "EXPAND_GRID": "client:0.1.0", "CHECK_SERVICE": "client:0.1.0", "TRAIN": "trainer:0.1.0",
    }  # fmt: skip
    for process in PROCESSES:
        shown = rendered[f"{engine} {process}"]
        assert shown["config"][engine]["enabled"] is True
        assert shown["task"]["container"] in words(shown)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_docker_and_podman_run_as_the_user_with_no_network_on_a_file_system_that_takes_no_writes(rendered, engine):
    for process in PROCESSES:
        command = rendered[f"{engine} {process}"]["command"]
        assert "--user $(id -u):$(id -g)" in command
        assert "--read-only" in command
        assert "--network none" in command


@pytest.mark.parametrize(
    ("engine", "start", "mount", "gpus"),
    [
        ("docker", "docker run", "--volume", "--gpus all"),
        ("podman", "podman run", "--volume", "--device nvidia.com/gpu=all"),
        ("singularity", "singularity exec", "--bind", "--nv"),
        ("apptainer", "apptainer exec", "--bind", "--nv"),
        ("charliecloud", "ch-run", "-b", ""),  # its GPUs are a matter of the image
    ],
)
def test_a_training_sees_its_gpus_its_checkpoints_and_the_folder_of_leases_whatever_the_engine(
    rendered, engine, start, mount, gpus
):
    with_gpus, without = rendered[f"{engine} gpu"], rendered[f"{engine} TRAIN"]
    assert f"{start} " in with_gpus["command"]
    lease = f'{mount} "$READLABEL_LEASE_DIR:$READLABEL_LEASE_DIR"'
    assert lease in with_gpus["command"]
    assert lease not in without["command"]
    assert "unset READLABEL_LEASE_DIR" in without["task"]["beforeScript"], "the shell's own is not mounted"
    assert "unset READLABEL_LEASE_DIR" not in with_gpus["task"]["beforeScript"]
    if gpus:
        assert f" {gpus} " in with_gpus["command"]
        assert f" {gpus} " not in without["command"]
    for shown in (with_gpus, without):
        assert f"{mount} '/a folder/work/checkpoints:/a folder/work/checkpoints'" in shown["command"]
        assert "export READLABEL_CHECKPOINT_DIR='/a folder/work/checkpoints'" in shown["task"]["beforeScript"]
        assert "READLABEL_CHECKPOINT_DIR" in shown["command"], "the engine hands the variable on"


def test_checkpoints_in_an_object_store_need_a_network_and_no_folder(rendered):
    shown = rendered["docker store"]
    assert shown["task"]["checkpoint_dir"] == "s3://lab/checkpoints"
    assert "--network host" in shown["command"]
    assert "s3://" not in shown["command"], "no folder to mount"
    assert "mkdir" not in shown["task"]["beforeScript"]
    assert rendered["awsbatch"]["task"]["checkpoint_dir"] == "s3://lab/work/checkpoints"
    assert rendered["azurebatch"]["task"]["checkpoint_dir"] is None, "az:// does not name the account"


@pytest.mark.parametrize("engine", ENGINES)
def test_with_a_standing_service_a_training_is_a_light_client_that_reaches_it_and_nothing_else(rendered, engine):
    mount = {"docker": "--volume", "podman": "--volume", "charliecloud": "-b"}.get(engine, "--bind")
    at_a_socket, at_a_port = rendered[f"{engine} unix"], rendered[f"{engine} tcp"]
    for shown in (at_a_socket, at_a_port):
        assert shown["task"]["container"].endswith("/client:0.1.0")
        assert (shown["task"]["cpus"], shown["task"]["memory"], shown["task"]["accelerator"]) == (1, "1 GB", None)
    assert f"{mount} '/run/lab:/run/lab'" in at_a_socket["command"]
    for path in ("/s/token", "/s/ca.pem"):
        assert f"{mount} '{path}:{path}'" in at_a_port["command"]
    if engine in ("docker", "podman"):
        assert "--network none" in at_a_socket["command"]
        assert "--network host" in at_a_port["command"]


@pytest.mark.parametrize("engine", ENGINES)
def test_who_asks_a_standing_service_first_reaches_it_too(rendered, engine):
    mount = {"docker": "--volume", "podman": "--volume", "charliecloud": "-b"}.get(engine, "--bind")
    shown = rendered[f"{engine} check"]
    assert shown["task"]["container"].endswith("/client:0.1.0")
    assert f"{mount} '/s/token:/s/token'" in shown["command"]
    if engine in ("docker", "podman"):
        assert "--network host" in shown["command"]


def test_a_service_that_lets_nobody_in_ends_trainings_and_no_export(rendered):
    training, export = rendered["TRAIN service"]["strategies"], rendered["EXPORT service"]["strategies"]
    assert (training["1"], training["2"]) == ("IGNORE", "FINISH"), "2: a token that cannot be read"
    assert (export["1"], export["2"]) == ("IGNORE", "IGNORE")


def test_memory_grows_with_every_attempt_and_never_past_its_limit(rendered):
    asked = {name: [rendered[f"{name} {attempt}"]["task"]["memory"] for attempt in (1, 2, 3)] for name in PROCESSES}
    assert asked.pop("TRAIN") == ["4 GB", "8 GB", "12 GB"]
    assert asked == {name: ["2 GB", "4 GB", "6 GB"] for name in asked}
    times = {name: [rendered[f"{name} {attempt}"]["task"]["time"] for attempt in (1, 2, 3)] for name in PROCESSES}
    assert times.pop("TRAIN") == ["1d", "2d", "3d"]
    assert times == {name: ["4h", "8h", "12h"] for name in times}
    limited = rendered["limited"]["task"]
    assert (limited["memory"], limited["cpus"], limited["time"]) == ("5 GB", 1, "2h")


@pytest.mark.parametrize("process", PROCESSES)
def test_what_a_machine_broke_off_is_tried_again_twice_and_an_error_of_the_input_is_not(rendered, process):
    first, last = rendered[f"{process} 1"]["strategies"], rendered[f"{process} 3"]["strategies"]
    given_up = {"TRAIN": "IGNORE", "EXPORT": "IGNORE", "VERDICT": "IGNORE"}.get(process, "FINISH")
    again = "IGNORE" if process == "VERDICT" else "RETRY"  # it reads one small file
    assert first == {str(status): again for status in AGAIN} | {str(status): given_up for status in NEVER}
    assert set(last.values()) == {given_up}


def test_trainings_leave_a_core_to_exports_on_this_machine_and_are_as_many_as_it_likes_elsewhere(rendered):
    here = rendered["TRAIN 1"]
    cores = here["config"]["executor"]["$local"]["cpus"]
    assert cores - here["task"]["maxForks"] * here["task"]["cpus"] >= 1
    assert here["task"]["maxForks"] >= 1
    assert {rendered[name]["task"]["maxForks"] for name in ("slurm", "k8s", "TRAIN service")} == {0}


def test_slurm_is_asked_for_partition_account_and_for_gpus_by_trainings_alone(rendered):
    training, light = rendered["slurm"]["task"], rendered["slurm light"]["task"]
    for task in (training, light):
        assert (task["executor"], task["queue"]) == ("slurm", "long,short")
    assert training["clusterOptions"] == "--account=lab --gres=gpu:a100:2"
    assert light["clusterOptions"] == "--account=lab"
    big = rendered["slurm big"]["task"]
    assert (big["memory"], big["cpus"]) == ("900 GB", 128), "the size of the machine that submits is no limit"


def test_profiles_of_a_scheduler_and_of_an_engine_combine(rendered):
    apptainer, podman = rendered["slurm,apptainer"], rendered["slurm,podman"]
    assert {shown["task"]["executor"] for shown in (apptainer, podman)} == {"slurm"}
    assert apptainer["task"]["clusterOptions"] == "--gres=gpu:1"
    assert "apptainer exec " in apptainer["command"]
    assert " --nv " in apptainer["command"]
    assert "podman run " in podman["command"]


def test_aws_batch_has_its_queue_region_and_images_and_leaves_another_try_to_nextflow(rendered):
    shown = rendered["awsbatch"]
    assert shown["config"]["aws"] == {"region": "eu-west-1", "batch": {"maxSpotAttempts": 0}}
    assert (shown["task"]["executor"], shown["task"]["queue"]) == ("awsbatch", "gpu-spot")
    assert shown["task"]["container"] == "1234.dkr.ecr.eu-west-1.amazonaws.com/readlabel/trainer:0.1.0-gpu"
    assert shown["task"]["accelerator"]["request"] == 1


def test_google_batch_has_its_place_its_machine_and_spot_or_not(rendered):
    shown, light = rendered["google-batch"], rendered["google-batch light"]
    assert shown["config"]["google"] == {
        "project": "lab", "location": "europe-west4", "batch": {"spot": True, "maxSpotAttempts": 0},
    }  # fmt: skip
    assert light["config"]["google"]["batch"]["spot"] is False
    assert shown["task"]["machineType"] == "n1-standard-8"
    assert light["task"]["machineType"] is None
    assert light["task"]["accelerator"] is None
    assert (shown["task"]["accelerator"]["request"], shown["task"]["accelerator"]["type"]) == (1, "nvidia-tesla-t4")
    assert shown["task"]["container"] == "europe-docker.pkg.dev/lab/readlabel/trainer:0.1.0"
    assert shown["task"]["checkpoint_dir"] == "/mnt/disks/lab/work/checkpoints", "the bucket is mounted there"


def test_azure_batch_makes_pools_of_the_machine_asked_for_or_uses_the_one_that_is_there(rendered):
    shown, pool = rendered["azurebatch"], rendered["azurebatch pool"]
    assert (shown["task"]["queue"], shown["task"]["machineType"]) == ("auto", "Standard_NC4as_T4_v3")
    batch = shown["config"]["azure"]["batch"]
    assert (batch["location"], batch["autoPoolMode"], batch["pools"]["auto"]["lowPriority"]) == (
        "westeurope",
        True,
        True,
    )
    assert pool["task"]["queue"] == "gpus"
    assert pool["config"]["azure"]["batch"]["autoPoolMode"] is False
    assert pool["config"]["azure"]["batch"]["deletePoolsOnCompletion"] is False, "it is somebody's"


def test_kubernetes_gets_jobs_that_its_own_schema_accepts_with_gpus_as_limits_and_no_root(rendered):
    shown = rendered["k8s"]
    job = shown["pod"]
    kubernetes_validate.validate(job, "1.29", strict=True)
    assert (job["kind"], job["metadata"]["namespace"]) == ("Job", "lab")
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1, "a request alone is refused"
    assert container["volumeMounts"] == [{"name": pod["volumes"][0]["name"], "mountPath": "/data"}]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "scratch"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert shown["task"]["checkpoint_dir"] == "/data/work/checkpoints"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_of_the_machine_that_starts_the_pipeline_reaches_a_cloud(rendered, cloud, root):
    task = rendered[cloud]["task"]
    assert str(root) not in task["beforeScript"]
    # Google's machines mount the bucket for root alone, the images' user is none.
    assert task["containerOptions"] == ("--user 0:0" if cloud == "google-batch" else None)


def test_every_task_of_google_batch_may_write_to_the_bucket_that_its_machine_mounts(rendered):
    shown = [rendered["google-batch"], rendered["google-batch light"], rendered["google-batch check"]]
    assert [each["task"]["containerOptions"] for each in shown] == ["--user 0:0"] * 3


def test_a_training_on_azure_asks_for_gpus_by_its_environment_where_the_option_is_refused(rendered):
    options = rendered["azurebatch pool"]["task"]["containerOptions"]
    assert options == "-e NVIDIA_VISIBLE_DEVICES=all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility"
