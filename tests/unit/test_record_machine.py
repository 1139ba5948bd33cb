"""What a record says of the machine, its processors and addresses, the person, and what a run ran in."""

import ipaddress
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.record.facts.addresses import read_addresses, write_address
from rtrace.record.facts.gpus import read_gpus
from rtrace.record.facts.machine import read_machine, read_processor, read_time_zone
from rtrace.record.facts.surroundings import read_batch, read_container, read_hypervisor, read_mpi, read_surroundings
from rtrace.record.facts.users import read_user
from rtrace.record.facts.version_control.configuration import parse_configuration


def write(root: Path, **files: str) -> Path:
    """Write files, whose names have a double underscore for each slash and `DOT` for a dot."""
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".").replace("COLON", ":")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_this_machine() -> None:
    """Names, kernel, processor and memory are this machine's, and its settings are those that Python knows."""
    machine = read_machine({"LC_ALL": "de_DE.UTF-8", "LANG": "C", "TZ": ":Asia/Tokyo"})
    names = os.uname()
    assert (machine["hostname"], machine["system"], machine["release"]) == (
        names.nodename,
        names.sysname,
        names.release,
    )
    assert (machine["version"], machine["architecture"]) == (names.version, names.machine)
    assert (machine["bits"], machine["linkage"], machine["cores"]) == (64, "ELF", os.cpu_count())
    assert (machine["locale"], machine["time_zone"]) == ("de_DE.UTF-8", "Asia/Tokyo")
    assert machine["memory"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert machine["settings"]["SC_PAGE_SIZE"] == str(os.sysconf("SC_PAGE_SIZE"))
    assert machine["settings"]["CS_PATH"] == os.confstr("CS_PATH")
    assert machine["distribution"]
    json.dumps(machine, allow_nan=False)


def test_addresses_are_those_of_the_interfaces(tmp_path: Path) -> None:
    """Addresses of both versions are told, loopback, networks, broadcast and link-local ones are not."""
    write(
        tmp_path,
        fib_trie="Local:\n  +-- 0.0.0.0/0 3 0 4\n     |-- 10.1.2.0\n        /24 link UNICAST\n     |-- 10.1.2.3\n"
        "        /32 host LOCAL\n     |-- 10.1.2.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n"
        "        /32 host LOCAL\n",
        if_inet6="00000000000000000000000000000001 01 80 10 80 lo\nfe80000000000000fc0000fffe000001 04 40 20 80 eth0\n"
        "20010db8000000000000000000000007 04 40 00 80 eth0\nbroken\n",
    )
    assert read_addresses(str(tmp_path)) == ["10.1.2.3", "2001:db8::7"]
    assert read_addresses(str(tmp_path / "nowhere")) == []
    for address in read_addresses():  # of this machine: each of them can be bound to
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as bound:
            bound.bind((address, 0))


@given(
    st.binary(min_size=16, max_size=16)
    | st.lists(st.sampled_from([b"\0\0", b"\0\1"]), min_size=8, max_size=8).map(b"".join)
)
def test_addresses_are_written_as_others_write_them(address: bytes) -> None:
    """An address of version 6 is shortened where its longest row of zeros is, and there alone."""
    assert write_address(address) == str(ipaddress.IPv6Address(address))


CPU_X86 = "processor\t: 0\nmodel name\t: Fast 9000\nflags\t\t: fpu sse avx\n\nprocessor\t: 1\nmodel name\t: Other\n"
CPU_ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\n"
CPU_S390 = "vendor_id : IBM/S390\nfeatures : esan3 zarch\nprocessor 0: version = FF\n"


@pytest.mark.parametrize(
    "text,expected",
    [
        (CPU_X86, ("Fast 9000", ["fpu", "sse", "avx"])),
        (CPU_ARM, ("ARM part 0xd0c revision 1", ["fp", "asimd"])),
        (CPU_S390, (None, ["esan3", "zarch"])),
        ("", (None, [])),
    ],
)
def test_processors(tmp_path: Path, text: str, expected: tuple[str | None, list[str]]) -> None:
    """The first processor's name and flags are read from what each architecture calls them."""
    assert read_processor(str(write(tmp_path, cpuinfo=text) / "cpuinfo")) == expected
    assert read_processor(str(tmp_path / "nowhere")) == (None, [])


def test_time_zones(tmp_path: Path) -> None:
    """The variable TZ counts, then where /etc/localtime leads, then what /etc/timezone says."""
    assert read_time_zone({}, str(tmp_path)) is None
    write(tmp_path, etc__timezone="Europe/Berlin\n")
    assert read_time_zone({}, str(tmp_path)) == "Europe/Berlin"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert read_time_zone({}, str(tmp_path)) == "Asia/Tokyo"
    assert read_time_zone({"TZ": "UTC"}, str(tmp_path)) == "UTC"


def add_device(root: Path, address: str, driver: str | None, **files: str) -> None:
    """Add a PCI device to a tree that looks like /sys."""
    device = root / "sys/bus/pci/devices" / address
    device.mkdir(parents=True)
    write(device, **files)
    if driver:
        module = root / "sys/module" / driver
        module.mkdir(parents=True, exist_ok=True)
        (device / "driver").symlink_to(module)


def test_graphics_processors(tmp_path: Path) -> None:
    """Name, driver and address are told of each: of NVIDIA's, of others by the list of PCI names, and of a chip's."""
    add_device(tmp_path, "0000:00:02.0", "i915", **{"class": "0x030000", "vendor": "0x8086", "device": "0x5917"})
    add_device(tmp_path, "0000:01:00.0", "nvidia", **{"class": "0x030200", "vendor": "0x10de", "device": "0x20b0"})
    add_device(tmp_path, "0000:02:00.0", None, **{"class": "0x120000", "vendor": "0x1002", "device": "0x1234"})
    add_device(tmp_path, "0000:03:00.0", "e1000", **{"class": "0x020000", "vendor": "0x8086", "device": "0x1"})
    write(
        tmp_path,
        sys__module__nvidia__version="535.1\n",
        proc__driver__nvidia__gpus__0000COLON01COLON00DOT0__information="Model: \t A100-SXM4\nIRQ: 1\n",
        usr__share__misc__pciDOTids="8086  Intel Corporation\n\t5917  UHD Graphics 620\n\t\t1 2 sub\n1002  AMD\n",
    )
    chip = tmp_path / "sys/devices/soc/gpu"
    write(chip, of_node__compatible="brcm,2711-vc5\0brcm,x")
    (tmp_path / "sys/class/drm/card1").mkdir(parents=True)
    (tmp_path / "sys/class/drm/card1/device").symlink_to(chip)
    assert read_gpus(str(tmp_path)) == [
        {"name": "Intel Corporation UHD Graphics 620", "driver": "i915", "address": "0000:00:02.0"},
        {"name": "A100-SXM4", "driver": "nvidia 535.1", "address": "0000:01:00.0"},
        {"name": "AMD 0x1234", "driver": None, "address": "0000:02:00.0"},
        {"name": "brcm,2711-vc5", "driver": None, "address": "gpu"},
    ]
    assert read_gpus(str(tmp_path / "nowhere")) == []


ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "environ,files,expected",
    [
        ({}, {}, None),
        ({}, {"DOTdockerenv": ""}, {"kind": "docker"}),
        (
            {},
            {
                "DOTdockerenv": "",
                "proc__self__mountinfo": f"1 2 8:1 /docker/containers/{ID}/hostname /etc/hostname rw\n",
            },
            {"kind": "docker", "id": ID},
        ),
        (
            {"container": "podman"},
            {
                "run__DOTcontainerenv": f'engine="podman-5"\nname="lab"\nid="{ID}"\n'
                'image="docker.io/r:4"\nimageid="ab"\n'
            },
            {
                "kind": "podman",
                "id": ID,
                "name": "lab",
                "image": "docker.io/r:4",
                "image_id": "ab",
                "engine": "podman-5",
            },
        ),
        (
            {"APPTAINER_CONTAINER": "/i.sif", "APPTAINER_NAME": "i.sif"},
            {},
            {"kind": "apptainer", "image": "/i.sif", "name": "i.sif"},
        ),
        ({"SINGULARITY_CONTAINER": "/i.sif"}, {}, {"kind": "singularity", "image": "/i.sif"}),
        ({}, {"proc__1__environ": "PATH=/bin\0container=lxc\0"}, {"kind": "lxc"}),
        ({}, {"run__systemd__container": "systemd-nspawn\n"}, {"kind": "systemd-nspawn"}),
        ({}, {"proc__self__cgroup": f"0::/kubepods/pod1/{ID}\n"}, {"kind": "kubepods", "id": ID}),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod-7"},
            {"proc__self__cgroup": f"1:cpu:/kubepods/{ID}\n"},
            {"kind": "kubepods", "id": ID, "orchestrator": "kubernetes", "pod": "pod-7"},
        ),
        (
            {"WSL_DISTRO_NAME": "Debian"},
            {"proc__sys__kernel__osrelease": "5.15-microsoft-standard-WSL2\n"},
            {"kind": "wsl2", "name": "Debian"},
        ),
    ],
)
def test_containers(
    tmp_path: Path, environ: dict[str, str], files: dict[str, str], expected: dict[str, str] | None
) -> None:
    """Each kind of container is told by its own sign, with id, name and image as far as it says them."""
    assert read_container(environ, str(write(tmp_path, **files))) == expected


@pytest.mark.parametrize(
    "environ,expected",
    [
        ({"HOME": "/root", "JOB_ID": "7"}, None),
        (
            {
                "SLURM_JOB_ID": "42",
                "SLURM_JOB_NAME": "fit",
                "SLURM_JOB_PARTITION": "gpu",
                "SLURM_JOB_NODELIST": "n[1-2]",
                "SLURM_NTASKS": "8",
                "SLURM_PROCID": "3",
                "SLURM_JOB_NUM_NODES": "2",
                "SLURM_ARRAY_TASK_ID": "5",
            },
            {
                "system": "slurm",
                "job": "42",
                "name": "fit",
                "queue": "gpu",
                "nodes": "n[1-2]",
                "node_count": "2",
                "tasks": "8",
                "task": "3",
                "array_task": "5",
            },
        ),
        (
            {"PBS_JOBID": "1.srv", "PBS_QUEUE": "q", "PBS_JOBNAME": "x"},
            {"system": "pbs", "job": "1.srv", "name": "x", "queue": "q"},
        ),
        (
            {"LSB_JOBID": "9", "LSB_QUEUE": "q", "LSB_HOSTS": "a b"},
            {"system": "lsf", "job": "9", "queue": "q", "nodes": "a b"},
        ),
        (
            {"SGE_ROOT": "/sge", "JOB_ID": "7", "QUEUE": "all.q", "NSLOTS": "4", "SGE_TASK_ID": "undefined"},
            {"system": "sge", "job": "7", "queue": "all.q", "tasks": "4"},
        ),
        ({"SGE_ROOT": "/sge"}, None),
    ],
)
def test_batch_systems(environ: dict[str, str], expected: dict[str, str] | None) -> None:
    """A job of Slurm, PBS, LSF or Grid Engine is told with what the system says of it; one alone is no job."""
    assert read_batch(environ) == expected


@pytest.mark.parametrize(
    "environ,expected",
    [
        ({}, None),
        (
            {
                "OMPI_COMM_WORLD_RANK": "1",
                "OMPI_COMM_WORLD_SIZE": "4",
                "OMPI_COMM_WORLD_LOCAL_RANK": "0",
                "PMIX_RANK": "1",
            },
            {"implementation": "openmpi", "rank": "1", "size": "4", "local_rank": "0"},
        ),
        (
            {"PMI_RANK": "0", "PMI_SIZE": "2", "MPI_LOCALRANKID": "0"},
            {"implementation": "mpich", "rank": "0", "size": "2", "local_rank": "0"},
        ),
        ({"PMI_RANK": "0", "I_MPI_MPIRUN": "mpirun"}, {"implementation": "intel mpi", "rank": "0"}),
        ({"MV2_COMM_WORLD_RANK": "3"}, {"implementation": "mvapich2", "rank": "3"}),
        ({"PMIX_RANK": "3"}, {"implementation": "pmix", "rank": "3"}),
    ],
)
def test_ranks_of_mpi(environ: dict[str, str], expected: dict[str, str] | None) -> None:
    """Each implementation of MPI tells a process its rank in variables of its own."""
    assert read_mpi(environ) == expected


@pytest.mark.parametrize(
    "files,expected",
    [
        ({}, None),
        ({"sys__hypervisor__type": "xen\n"}, "Xen"),
        ({"sys__class__dmi__id__sys_vendor": "QEMU\n"}, "QEMU"),
        ({"sys__class__dmi__id__sys_vendor": "VMware, Inc.\n"}, "VMware"),
        ({"sys__class__dmi__id__sys_vendor": "innotek GmbH\n"}, "VirtualBox"),
        (
            {
                "sys__class__dmi__id__sys_vendor": "Microsoft Corporation\n",
                "sys__class__dmi__id__product_name": "Virtual Machine\n",
            },
            "Hyper-V",
        ),
        ({"sys__class__dmi__id__sys_vendor": "LENOVO\n"}, None),
        ({"proc__cpuinfo": "flags\t: fpu hypervisor\n\n"}, "a hypervisor without a name"),
        ({"proc__device-tree__hypervisor__compatible": "linux,kvm\0"}, "KVM"),
    ],
)
def test_hypervisors(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    """A virtual machine is told by what its firmware, its kernel or its processor says."""
    assert read_hypervisor(str(write(tmp_path, **files))) == expected


def test_the_surroundings_of_this_machine() -> None:
    """Whatever this runs in can be told, and written as JSON."""
    facts = read_surroundings(os.environ)
    assert set(facts) == {"container", "batch", "mpi", "virtual"}
    json.dumps(facts)


def test_the_user(tmp_path: Path) -> None:
    """Numbers are the kernel's; name and address are those that the person commits with, includes followed."""
    (tmp_path / ".gitconfig").write_text(
        "[user]\n\tname = Old\n\temail = old@example.org\n[include]\n\tpath = ~/more\n"
    )
    (tmp_path / "more").write_text('[user]\n\tname = "Ada # Lovelace" ; her name\n[include]\n\tpath = more\n')
    user = read_user({"HOME": str(tmp_path)})
    assert (user["full_name"], user["email"]) == ("Ada # Lovelace", "old@example.org")
    assert (user["uid"], user["gid"], user["groups"]) == (os.getuid(), os.getgid(), sorted(os.getgroups()))
    told = {"HOME": str(tmp_path), "GIT_AUTHOR_NAME": "Grace", "GIT_AUTHOR_EMAIL": "grace@example.org"}
    assert (read_user(told)["full_name"], read_user(told)["email"]) == ("Grace", "grace@example.org")
    assert read_user({"HOME": str(tmp_path / "nobody"), "EMAIL": "e@example.org"})["email"] == "e@example.org"


@pytest.mark.parametrize(
    "content,expected",
    [
        ("[a]\nx = 1\nX=2\n", {"a.x": ["1", "2"]}),
        ('[A "B c"] x = 1 # why\n', {"a.B c.x": ["1"]}),
        ("[a.b]\nflag\n", {"a.b.flag": ["true"]}),
        ('[a "q\\"u\\\\o"]\nx = "a b" c\\n\n', {'a.q"u\\o.x': ["a b c\n"]}),
        ("[a]\nx = one \\\n  two\n", {"a.x": ["one   two"]}),
        ("[a]\nx = '#' ; c\n", {"a.x": ["'"]}),
        ("x = 1\n[a\ny = 2\n", {}),
        ("\ufeff[a]\r\nx = 1\r\n", {"a.x": ["1"]}),
        ('[a]\nx = "open\n', {"a.x": ["open"]}),
        ("[a]\nx =\n", {"a.x": [""]}),
    ],
)
def test_the_syntax_of_git_configurations(content: str, expected: dict[str, list[str]]) -> None:
    """Sections, quotes, escapes, comments and lines that go on are read as git reads them."""
    assert parse_configuration(content.encode()) == expected
