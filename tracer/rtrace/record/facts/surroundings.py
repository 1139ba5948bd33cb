"""What a run ran in: a container, a batch system, MPI, a virtual machine. Each says so in its own way."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtrace.files.reading import read_file
from rtrace.record.facts.machine import read_processor

if TYPE_CHECKING:
    from rtrace.record.document import SurroundingsFact

_LIMIT = 1 << 20
_CONTAINER_ID = r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])"
_FROM_CGROUP = ("docker", "libpod", "containerd", "crio", "lxc", "kubepods")

_SLURM = {
    "job": ("SLURM_JOB_ID", "SLURM_JOBID"), "name": ("SLURM_JOB_NAME",), "queue": ("SLURM_JOB_PARTITION",),
    "nodes": ("SLURM_JOB_NODELIST", "SLURM_NODELIST"), "node_count": ("SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
    "node": ("SLURMD_NODENAME",), "tasks": ("SLURM_NTASKS", "SLURM_NPROCS"), "task": ("SLURM_PROCID",),
    "step": ("SLURM_STEP_ID",), "cpus": ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"),
    "array_job": ("SLURM_ARRAY_JOB_ID",), "array_task": ("SLURM_ARRAY_TASK_ID",),
    "account": ("SLURM_JOB_ACCOUNT",), "cluster": ("SLURM_CLUSTER_NAME",), "submitted_from": ("SLURM_SUBMIT_DIR",),
    "gpus": ("SLURM_JOB_GPUS", "SLURM_GPUS"),
}  # fmt: skip
_PBS = {
    "job": ("PBS_JOBID",), "name": ("PBS_JOBNAME",), "queue": ("PBS_QUEUE", "PBS_O_QUEUE"),
    "nodes": ("PBS_NODEFILE",), "node_count": ("PBS_NUM_NODES",), "node": ("PBS_NODENUM",), "tasks": ("PBS_NP",),
    "task": ("PBS_TASKNUM",), "cpus": ("NCPUS", "PBS_NUM_PPN"), "array_task": ("PBS_ARRAY_INDEX", "PBS_ARRAYID"),
    "account": ("PBS_ACCOUNT",), "submitted_from": ("PBS_O_WORKDIR",),
}  # fmt: skip
_LSF = {
    "job": ("LSB_JOBID",), "name": ("LSB_JOBNAME",), "queue": ("LSB_QUEUE",), "nodes": ("LSB_MCPU_HOSTS", "LSB_HOSTS"),
    "tasks": ("LSB_DJOB_NUMPROC",), "array_task": ("LSB_JOBINDEX",), "submitted_from": ("LS_SUBCWD",),
}  # fmt: skip
_SGE = {
    "job": ("JOB_ID",), "name": ("JOB_NAME",), "queue": ("QUEUE",), "nodes": ("PE_HOSTFILE",),
    "node_count": ("NHOSTS",), "tasks": ("NSLOTS",), "array_task": ("SGE_TASK_ID",),
    "submitted_from": ("SGE_O_WORKDIR",), "cluster": ("SGE_CLUSTER_NAME", "SGE_CELL"),
}  # fmt: skip
_BATCH_SYSTEMS = (
    ("slurm", ("SLURM_JOB_ID", "SLURM_JOBID"), _SLURM),
    ("pbs", ("PBS_JOBID",), _PBS),
    ("lsf", ("LSB_JOBID",), _LSF),
    ("sge", ("SGE_ROOT", "SGE_O_HOST"), _SGE),
)

_MPI = (
    ("openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("mvapich2", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK"),
    ("mpich", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("pmix", "PMIX_RANK", "PMIX_SIZE", "PMIX_LOCAL_RANK"),
)

_VENDORS = (
    ("vmware", "VMware"), ("innotek", "VirtualBox"), ("virtualbox", "VirtualBox"), ("qemu", "QEMU"), ("kvm", "KVM"),
    ("amazon ec2", "Amazon EC2"), ("google compute engine", "Google Compute Engine"), ("xen", "Xen"),
    ("openstack", "OpenStack"), ("parallels", "Parallels"), ("bhyve", "bhyve"), ("bochs", "Bochs"),
    ("apple virtualization", "Apple Virtualization"), ("firecracker", "Firecracker"), ("hyper-v", "Hyper-V"),
)  # fmt: skip


def read_surroundings(environ: Mapping[str, str], root: str = "/") -> SurroundingsFact:
    """Return what the process of an environment runs in, on the machine whose files are below ``root``."""
    return {
        "container": read_container(environ, root),
        "batch": read_batch(environ),
        "mpi": read_mpi(environ),
        "virtual": read_hypervisor(root),
    }


def read_container(environ: Mapping[str, str], root: str = "/") -> dict[str, str] | None:
    """Return the kind of the container, with its id, name and image as far as it knows them itself."""
    facts = _find_container(environ, root)
    if facts is None:
        return None
    identifier = facts.get("id") or _find_container_id(root)
    if identifier:
        facts["id"] = identifier
    if "KUBERNETES_SERVICE_HOST" in environ:
        facts["orchestrator"] = "kubernetes"
        if environ.get("HOSTNAME"):
            facts["pod"] = environ["HOSTNAME"]
    return facts


def _find_container(environ: Mapping[str, str], root: str) -> dict[str, str] | None:
    for kind, prefix in (("apptainer", "APPTAINER"), ("singularity", "SINGULARITY")):
        image = environ.get(f"{prefix}_CONTAINER")
        if image or (kind == "singularity" and os.path.isdir(os.path.join(root, ".singularity.d"))):
            return _without_nothing(kind=kind, image=image, name=environ.get(f"{prefix}_NAME"))
    if os.path.exists(os.path.join(root, "run/.containerenv")):
        facts = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _read(root, "run/.containerenv"), re.MULTILINE))
        return _without_nothing(
            kind="podman", id=facts.get("id"), name=facts.get("name"), image=facts.get("image"),
            image_id=facts.get("imageid"), engine=facts.get("engine"),
        )  # fmt: skip
    if os.path.exists(os.path.join(root, ".dockerenv")):
        return {"kind": "docker"}
    declared = _read(root, "run/systemd/container").strip() or _find_init_environ(root) or environ.get("container")
    if declared:
        return _without_nothing(kind=declared, id=environ.get("container_uuid"))
    release = _read(root, "proc/sys/kernel/osrelease").lower()
    if "microsoft" in release or "WSL_DISTRO_NAME" in environ:
        return _without_nothing(kind="wsl2" if "wsl2" in release else "wsl", name=environ.get("WSL_DISTRO_NAME"))
    groups = _read(root, "proc/self/cgroup")
    engine = next((engine for engine in _FROM_CGROUP if f"/{engine}" in groups or f":{engine}" in groups), None)
    return {"kind": engine} if engine else None


def _find_init_environ(root: str) -> str | None:
    """Return what the first process was told to be in: lxc, systemd-nspawn; root alone may read it."""
    variables = _read(root, "proc/1/environ").split("\0")
    return next((line.partition("=")[2] for line in variables if line.startswith("container=")), None)


def _find_container_id(root: str) -> str | None:
    """Return the id that a container engine gave, from the names of its groups and of what it has mounted."""
    for name in ("proc/self/cgroup", "proc/self/mountinfo"):
        for line in _read(root, name).splitlines():
            wanted = name.endswith("cgroup") or "/etc/hostname" in line or "/etc/resolv.conf" in line
            match = re.search(_CONTAINER_ID, line) if wanted else None
            if match:
                return match[1]
    return None


def read_batch(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the batch system, and what it says of the job."""
    for system, signs, names in _BATCH_SYSTEMS:
        if any(environ.get(sign) for sign in signs) and (system != "sge" or environ.get("JOB_ID")):
            facts = {"system": system}
            for fact, variables in names.items():
                value = next((environ[variable] for variable in variables if environ.get(variable)), None)
                if value and value != "undefined":  # what Grid Engine says of a job that is no array's
                    facts[fact] = value
            return facts
    return None


def read_mpi(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the implementation of MPI that started this process, and which of how many it is."""
    for implementation, rank, size, local_rank in _MPI:
        if environ.get(rank):
            kind = implementation
            if implementation == "mpich" and "I_MPI_MPIRUN" in environ:
                kind = "intel mpi"
            return _without_nothing(
                implementation=kind, rank=environ[rank], size=environ.get(size), local_rank=environ.get(local_rank)
            )
    return None


def read_hypervisor(root: str = "/") -> str | None:
    """Return the name of the hypervisor; a word for one that does not say its name; None on a machine of its own."""
    kind = _read(root, "sys/hypervisor/type").strip()
    if kind:
        return kind.capitalize()
    names = ("sys_vendor", "product_name", "board_vendor", "bios_vendor")
    told = " ".join(_read(root, f"sys/class/dmi/id/{name}").strip() for name in names).lower()
    if "microsoft corporation" in told and "virtual machine" in told:
        return "Hyper-V"
    for sign, name in _VENDORS:
        if sign in told:
            return name
    compatible = _read(root, "proc/device-tree/hypervisor/compatible").strip("\0\n")
    if compatible:
        return compatible.replace("linux,", "").upper()
    _name, flags = read_processor(os.path.join(root, "proc/cpuinfo"))
    return "a hypervisor without a name" if "hypervisor" in flags else None


def _without_nothing(**facts: str | None) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}


def _read(root: str, name: str) -> str:
    return read_file(os.path.join(root, name), _LIMIT).decode("utf-8", "replace")
