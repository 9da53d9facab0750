// Every obstacle that can be made here is made, and a Node inside of the obstacle probes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { has, needs, skipUnless } from "../../../../test/needs.ts";
import { forbid, forbidNamespaces, killAt } from "../../../../test/seccomp.ts";
import { found, probeIn } from "./probed.ts";

const x64 = process.arch === "x64";
const [SETHOSTNAME, UNSHARE, CLONE3] = [x64 ? 170 : 161, x64 ? 272 : 97, 435];
const [EPERM, ENOSYS] = [1, 38];

const root = "unshare -Urm --propagation private sh -e -c";
const { test: inside } = needs(
	"user namespaces",
	"a /proc of this pid namespace",
	"the program unshare",
	"sysctls that can be written",
);
const { test: asRoot } = needs(
	"root",
	"user namespaces",
	"a /proc of this pid namespace",
	"the program unshare",
	"the program setpriv",
);

let folder = "";
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-obstacle-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Returns shell commands that put a folder with the users of /etc in the place of /etc, in a mount namespace of the shell. */
function privateEtc(): string {
	return `mkdir ${folder}/etc; cp /etc/passwd /etc/group ${folder}/etc
		for file in /etc/ld.so*; do [ ! -e $file ] || cp -r $file ${folder}/etc; done
		chmod 755 ${folder} ${folder}/etc; mount --bind ${folder}/etc /etc`;
}

inside("bubblewrap #371: a limit of 0 on user namespaces is named, with its file and its value", async () => {
	const report = await probeIn(`exec ${root} 'echo 0 > /proc/sys/user/max_user_namespaces; exec $PROBE'`);
	const { user } = report.namespaces;
	expect(user.direct).toMatchObject({ works: false, code: "ENOSPC", because: ["userns-limit"] });
	expect(report.features.mount).toEqual({ works: undefined, because: ["userns-limit"] });
	const file = "/proc/sys/user/max_user_namespaces";
	expect(found(report, "userns-limit")).toMatchObject([{ source: file, value: "0", certain: true }]);
	expect(report.obstacles[0]?.name).toBe("userns-limit");
	expect(report.obstacles[0]?.fix.join()).toContain("sysctl -w user.max_user_namespaces=");
	expect(report.host.limits.user).toBe(0);
});

inside(
	"bubblewrap #465: a limit on network namespaces hinders these, and what needs them, and nothing else",
	async () => {
		const report = await probeIn(`exec ${root} 'echo 0 > /proc/sys/user/max_net_namespaces; exec $PROBE'`);
		expect(report.namespaces.net.withUser).toMatchObject({ works: false, because: ["userns-limit"] });
		expect(report.namespaces.uts.withUser.works).toBe(true);
		expect(report.features.mount.works).toBe(true);
		expect(report.features.loopback).toEqual({ works: undefined, because: ["userns-limit"] });
		expect(found(report, "userns-limit")).toMatchObject([{ source: "/proc/sys/user/max_net_namespaces" }]);
	},
);

inside("a limit that leaves one user namespace at a time is no obstacle", async () => {
	const report = await probeIn(`exec ${root} 'echo 1 > /proc/sys/user/max_user_namespaces; exec $PROBE'`);
	expect(report.namespaces.user.direct.works).toBe(true);
	expect(report.features.mount.works).toBe(true);
	expect(found(report, "userns-limit")).toEqual([]);
});

inside("bubblewrap #764: the depth of nested user namespaces is named where the kernel makes no more", async () => {
	const deep = 'if unshare -Ur true 2>/dev/null; then exec unshare -Ur sh -c "$DEEP"; fi; exec $PROBE';
	const report = await probeIn(`export DEEP='${deep}'; exec sh -c "$DEEP"`);
	expect(report.namespaces.user.direct).toMatchObject({ works: false, because: ["nesting"] });
	expect(found(report, "nesting")).toMatchObject([{ certain: false }]);
});

inside("moby #43086: a seccomp filter like that of a container is inferred after everything else", async () => {
	const report = await probeIn("exec $PROBE", (task) => forbidNamespaces(task));
	expect(report.host.seccomp).toBe("filter");
	expect(report.namespaces.user.direct).toMatchObject({ works: false, code: "EPERM", because: ["seccomp"] });
	expect(found(report, "seccomp")).toMatchObject([{ certain: false, source: "/proc/self/status" }]);
	expect(found(report, "hidden-clone3")).toMatchObject([{ value: "ENOSYS" }]);
	expect(report.features.clone3).toMatchObject({ works: false, code: "ENOSYS", because: ["hidden-clone3"] });
	expect(report.features.task.works).toBe(true);
});

inside("a filter that hides clone3 alone leaves all namespaces", async () => {
	const report = await probeIn("exec $PROBE", (task) => forbid(task, CLONE3, ENOSYS));
	expect(report.namespaces.time.withUser.works).toBe(true);
	expect(found(report, "hidden-clone3")).toHaveLength(1);
	expect(found(report, "seccomp")).toEqual([]);
});

inside("a filter that kills the caller is named, and the other answers are given", async () => {
	const report = await probeIn("exec $PROBE", (task) => killAt(task, UNSHARE));
	expect(report.namespaces.user.direct).toMatchObject({ works: false, code: "SIGSYS", because: ["seccomp"] });
	expect(found(report, "seccomp")).toMatchObject([{ certain: true }]);
	expect(report.features.memfdExec.works).toBe(true);
});

inside("gvisor #144: a chroot is known by a root directory that is no mount root", async () => {
	const script = `
		mount -t tmpfs none ${folder} && mkdir ${folder}/root
		for name in /*; do
			if [ -L "$name" ]; then cp -P "$name" "${folder}/root$name"
			elif [ -d "$name" ]; then mkdir "${folder}/root$name" && mount --rbind "$name" "${folder}/root$name"; fi
		done
		exec chroot ${folder}/root $PROBE`;
	const report = await probeIn(`exec ${root} '${script}'`);
	expect(report.host.chroot).toBe(true);
	expect(report.namespaces.user.direct).toMatchObject({ works: false, code: "EPERM", because: ["chroot"] });
	expect(found(report, "chroot")).toMatchObject([{ certain: true, source: "/proc/self/mountinfo" }]);
});

inside("firejail #463: a chroot into a mount point is known by entering the own mount namespace again", async () => {
	const script = `mount --rbind / ${folder} && exec chroot ${folder} $PROBE`;
	const report = await probeIn(`exec ${root} '${script}'`);
	expect(report.host.chroot).toBe(true);
	expect(found(report, "chroot")).toHaveLength(1);
});

asRoot("firejail #463: a chroot into a mount point is inferred for an ordinary user", async () => {
	const script = `mount --rbind / ${folder} && exec chroot ${folder} ${ordinary} $PROBE`;
	const report = await probeIn(`exec unshare -m --propagation private sh -e -c '${script}'`);
	expect(report.namespaces.user.direct).toMatchObject({ works: false, code: "EPERM", because: ["chroot"] });
	expect(found(report, "chroot")).toMatchObject([{ certain: false }]);
});

asRoot("a process that may map every id needs no subordinate ids", async () => {
	const script = `${privateEtc()}; : > /etc/subuid; : > /etc/subgid; exec $PROBE`;
	const report = await probeIn(`exec unshare -m sh -e -c '${script}'`);
	expect(report.features.subordinateIds).toMatchObject({ works: false, value: 0 });
	expect(found(report, "no-subordinate-ids")).toEqual([]);
});

inside("ids that the user namespace does not map are named", async () => {
	const report = await probeIn("exec unshare -U $PROBE");
	expect(report.namespaces.user.direct).toMatchObject({ works: false, code: "EPERM", because: ["unmapped-ids"] });
	expect(found(report, "unmapped-ids")).toMatchObject([{ value: "uid 65534 and gid 65534", certain: true }]);
});

inside(
	"sandbox-runtime #74: capabilities that AppArmor takes away are named by its sysctl, recorded on Ubuntu 24.04",
	async () => {
		const recorded = `mount -t tmpfs none /proc/sys/kernel
		echo 1 > /proc/sys/kernel/apparmor_restrict_unprivileged_userns
		exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin $PROBE`;
		const report = await probeIn(`exec ${root} '${recorded}'`, (task) => forbid(task, SETHOSTNAME, EPERM));
		expect(report.namespaces.user.direct.works).toBe(true);
		expect(report.features.userCapabilities).toMatchObject({ works: false, because: ["apparmor-userns"] });
		const [obstacle] = found(report, "apparmor-userns");
		expect(obstacle).toMatchObject({ value: "1", certain: true });
		expect(obstacle?.sentence).toContain("gets no capabilities");
		const fixes = obstacle?.fix ?? [];
		const [profile, sysctl] = ["apparmor_parser", "apparmor_restrict_unprivileged_userns=0"].map((word) =>
			fixes.findIndex((fix) => fix.includes(word)),
		);
		expect(profile).toBeLessThan(sysctl ?? 0);
	},
);

inside("feint #160: a namespace that is made, mapped and without power is three answers", async () => {
	const report = await probeIn("exec $PROBE", (task) => forbid(task, SETHOSTNAME, EPERM));
	expect(report.namespaces.user).toMatchObject({ direct: { works: true }, withUser: { works: true } });
	expect(report.features.userCapabilities).toMatchObject({ works: false, code: "EPERM", syscall: "sethostname" });
});

inside("systemd #31003: a sysctl that says nothing about a call which works is no obstacle", async () => {
	const recorded = `mount -t tmpfs none /proc/sys/kernel
		echo 0 > /proc/sys/kernel/unprivileged_userns_clone; exec $PROBE`;
	const report = await probeIn(`exec ${root} '${recorded}'`);
	expect(report.host.sysctls["kernel.unprivileged_userns_clone"]).toBe("0");
	expect(found(report, "unprivileged-userns-clone")).toEqual([]);
});

inside(
	"unprivileged_userns_clone explains a refusal to a process without CAP_SYS_ADMIN, recorded on Debian",
	async () => {
		const recorded = `mount -t tmpfs none /proc/sys/kernel
		echo 0 > /proc/sys/kernel/unprivileged_userns_clone; exec unshare -U $PROBE`;
		const report = await probeIn(`exec ${root} '${recorded}'`);
		const because = ["unmapped-ids", "unprivileged-userns-clone"]; // the second one alone cannot be made on this kernel
		expect(report.namespaces.user.direct).toMatchObject({ works: false, because });
		expect(found(report, "unprivileged-userns-clone")).toMatchObject([{ value: "0", certain: true }]);
	},
);

inside("codex #13624: root without CAP_SYS_ADMIN is told to add a user namespace", async () => {
	const report = await probeIn(`exec ${root} 'exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin $PROBE'`);
	const because = ["no-capability", "bounding-set"];
	expect(report.uid).toBe(0);
	expect(report.namespaces.net.direct).toMatchObject({ works: false, code: "EPERM", because });
	expect(report.namespaces.net.withUser.works).toBe(true);
	expect(found(report, "no-capability")[0]?.fix.join()).toContain('add "user"');
	expect(found(report, "bounding-set")).toMatchObject([{ source: "/proc/self/status" }]);
});

inside("bubblewrap #284: what covers parts of /proc is named", async () => {
	const report = await probeIn(`exec ${root} 'mount --bind /dev/null /proc/uptime; exec $PROBE'`);
	expect(report.features.proc).toMatchObject({ works: false, code: "EPERM", because: ["masked-proc"] });
	const [obstacle] = found(report, "masked-proc");
	expect(obstacle?.value?.split(" ")).toContain("/proc/uptime");
	expect(obstacle?.sentence).toContain("/proc/uptime");
});

inside("a sysfs that is mounted read-only is named, and a read-only one works", async () => {
	const report = await probeIn(`exec ${root} 'mount -o remount,bind,ro /sys; exec $PROBE'`);
	expect(report.features.sysfs).toMatchObject({ works: false, value: "ro", because: ["read-only-sys"] });
	expect(found(report, "read-only-sys")).toMatchObject([{ value: "/sys" }]);
});

inside("a missing /proc is named, and what needs no /proc is tried", async () => {
	// An ordinary user cannot take the mount away, and covers it.
	const report = await probeIn(`exec ${root} 'mount -t tmpfs none /proc; exec $PROBE'`);
	expect(found(report, "no-proc")).toMatchObject([{ value: "nothing", source: "/proc", certain: true }]);
	expect(report.features.task.works).toBe(true);
	expect(report.features.userCapabilities.works).toBe(true);
	expect(report.namespaces.user.withUser).toMatchObject({ works: false, because: ["no-proc"] });
});

inside("the procfs of an outer pid namespace is named", async () => {
	const report = await probeIn("exec unshare -Urpf $PROBE");
	expect(found(report, "no-proc")).toMatchObject([{ value: "an outer pid namespace" }]);
});

const { test: withSysctl } = needs(
	"a /proc of this pid namespace",
	"root",
	"user namespaces",
	"vm.memfd_noexec",
	"a /proc and a /sys that nothing hides",
);
withSysctl("vm.memfd_noexec is named where a memory file cannot be executed", async () => {
	const script = "echo 2 > /proc/sys/vm/memfd_noexec; exec $PROBE";
	const report = await probeIn(`exec unshare -Urpf --mount-proc sh -e -c '${script}'`);
	expect(report.features.memfdExec).toMatchObject({ works: false, code: "EACCES", because: ["memfd-noexec"] });
	expect(found(report, "memfd-noexec")).toMatchObject([{ value: "2", certain: true }]);
	expect(report.features.task.works).toBe(true);
});

const ordinary = has("root") ? "setpriv --reuid 1000 --regid 1000 --clear-groups" : "env";

inside("a limit of processes at which no task can be cloned is the first obstacle", async () => {
	const report = await probeIn(`exec ${ordinary} $PROBE nproc=1`);
	expect(report.features.task).toMatchObject({ works: false, code: "EAGAIN", because: ["unknown"] });
	expect(report.obstacles[0]?.name).toBe("unknown");
	expect(report.obstacles[0]?.sentence).toContain("RLIMIT_NPROC");
	expect(report.features.mount).toMatchObject({ because: ["unknown"] });
});

inside("a limit of open files at which no task can be cloned is reported", async () => {
	const report = await probeIn("exec $PROBE nofile=3");
	expect(report.features.task).toMatchObject({ works: false, code: "EMFILE", because: ["unknown"] });
});

asRoot("buildkit #1904: no_new_privs, with which newuidmap gets no privilege, is named", async () => {
	const script = `${privateEtc()}; echo 1000:100000:65536 | tee /etc/subuid > /etc/subgid
		exec ${ordinary} --no-new-privs $PROBE`;
	const report = await probeIn(`exec unshare -m sh -e -c '${script}'`);
	expect(report.host.noNewPrivs).toBe(true);
	expect(report.features.subordinateIds).toMatchObject({ works: true, value: 65536 });
	expect(report.features.idMapRanges).toMatchObject({ works: false });
	expect(report.features.idMapRanges.because).toContain("no-new-privs");
	expect(found(report, "no-new-privs")).toMatchObject([{ value: "NoNewPrivs: 1", certain: true }]);
});

asRoot("an ordinary user with subordinate ids and helpers maps ranges", async () => {
	const script = `${privateEtc()}; echo 1000:100000:65536 | tee /etc/subuid > /etc/subgid; exec ${ordinary} $PROBE`;
	const report = await probeIn(`exec unshare -m sh -e -c '${script}'`);
	const { newuidmap, newgidmap, idMapRanges } = report.features;
	skipUnless(newuidmap.works === true && newgidmap.works === true, "newuidmap and newgidmap");
	expect(idMapRanges).toEqual({ works: true });
	expect(found(report, "no-subordinate-ids")).toEqual([]);
});

asRoot("rootlesskit #326: a helper without its bit is named, with its path", async () => {
	const path = `${folder}/my tools/newuidmap`;
	const script = `cd ${folder}; mkdir "my tools"; chmod 755 . "my tools"
		for name in newuidmap newgidmap; do cp /bin/true "my tools/$name"; chmod 755 "my tools/$name"; done
		PATH="${folder}/my tools:$PATH" exec ${ordinary} $PROBE`;
	const report = await probeIn(script);
	const because = ["helper-not-setuid"];
	expect(report.features.newuidmap).toMatchObject({ works: false, value: path, because });
	const obstacles = found(report, "helper-not-setuid");
	expect(obstacles.map(({ source }) => source)).toContain(path);
	expect(JSON.stringify(obstacles)).toContain(`setcap cap_setuid=ep '${path}'`);
});

asRoot("podman #7106: a helper that is not there, and a user without subordinate ids, are named", async () => {
	const script = `${privateEtc()}; : > /etc/subuid; : > /etc/subgid; : > ${folder}/nothing
		for name in newuidmap newgidmap; do for place in /usr/bin /bin /usr/local/bin; do
			[ -e $place/$name ] && [ ! -L $place ] && mount --bind ${folder}/nothing $place/$name; done; done; true
		exec ${ordinary} $PROBE`;
	const report = await probeIn(`exec unshare -m sh -e -c '${script}'`);
	expect(report.features.newuidmap).toMatchObject({ works: false, code: "ENOENT", because: ["helper-missing"] });
	expect(report.features.subordinateIds).toMatchObject({ works: false, value: 0, because: ["no-subordinate-ids"] });
	expect(report.features.idMapRanges.works).toBe(undefined);
	expect(found(report, "no-subordinate-ids").map(({ source }) => source)).toEqual(["/etc/subuid /etc/subgid"]);
});

const { test: onV1 } = needs("a /proc of this pid namespace", "a cgroup whose number of processes can be limited");
onV1("controllers that lie in cgroup v1 are named", async () => {
	const report = await probeIn("exec $PROBE");
	if (report.host.cgroup.version === 2) return;
	expect(found(report, "cgroup-v1")).toMatchObject([{ source: "/proc/self/cgroup" }]);
	expect(found(report, "cgroup-v1")[0]?.value?.split(",")).toContain("pids");
});

asRoot("a cgroup that belongs to another user is named", async () => {
	const report = await probeIn(`exec ${ordinary} $PROBE`);
	if (report.host.cgroup.path === undefined) return;
	expect(report.features.cgroup).toMatchObject({ works: false, because: ["cgroup-not-delegated"] });
	expect(found(report, "cgroup-not-delegated")).toMatchObject([{ value: "EACCES" }]);
});
