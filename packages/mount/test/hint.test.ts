import { mkdtempSync, rmdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chdir, chroot, Location, type NamespaceKind, openat2, type SyscallError, Task } from "@nearfar/core";
import {
	fsmount,
	fsopen,
	fspick,
	Mount,
	mount,
	mountSetattr,
	moveMount,
	openTree,
	overlay,
	pivotRoot,
	umount,
} from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { ownMounts, sandbox } from "./sandbox.ts";

const refused = (fn: () => unknown) => refusal(fn) as SyscallError;
const rootless = (...more: NamespaceKind[]) =>
	Task.clone({ namespaces: ["user", "mnt", ...more] as NamespaceKind[], idMap: "root" });

describe("EPERM of a file system that shows a namespace names this namespace", () => {
	for (const [fstype, words] of [
		["proc", ['"pid"', "nothing is mounted over"]],
		["sysfs", ['"net"']],
		["mqueue", ['"ipc"']],
		["cgroup2", ['"cgroup"']],
	] as const) {
		needs(`the file system ${fstype}`).test(`${fstype}, by create and by mount`, async () => {
			await using task = await rootless();
			task.run(() => {
				const created = refused(() => Mount.create(fstype));
				const mounted = refused(() => mount("none", "/tmp", fstype));
				expect([created, mounted]).toMatchObject([{ code: "EPERM" }, { code: "EPERM", syscall: "mount" }]);
				for (const { hint } of [created, mounted]) for (const word of words) expect(hint).toContain(word);
			});
		});
	}
});

test("EPERM of fsopen is about the privilege, whatever the file system", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => {
		for (const fstype of ["proc", "tmpfs"]) {
			const { code, syscall, hint } = refused(() => fsopen(fstype));
			expect([code, syscall]).toEqual(["EPERM", "fsopen"]);
			expect(hint).toContain("CAP_SYS_ADMIN");
			expect(hint).not.toContain("proc");
		}
	});
});

needs("the file system ext4").test(
	"EPERM of another file system says which ones a user namespace may mount",
	async () => {
		await using task = await rootless();
		task.run(() => {
			const { code, syscall, hint } = refused(() => Mount.create("ext4", { source: "/dev/null" }));
			expect([code, syscall]).toEqual(["EPERM", "fsconfig"]);
			for (const fstype of ["tmpfs", "ramfs", "devpts", "overlay", "fuse"]) expect(hint).toContain(fstype);
		});
	},
);

needs("the file system proc", "a /proc and a /sys that nothing hides").test(
	"bubblewrap #284 EPERM of a proc where something is mounted over the one in sight has the message of the kernel, and the hint names what covers it",
	async () => {
		await using masked = await Task.clone(ownMounts);
		masked.run(() => {
			mount(null, "/", null, { flags: ["rec", "private"] });
			mount("mask", "/proc/sys", "tmpfs");
		});
		await using task = await masked.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
		await using inner = await task.clone();
		const error = inner.run(() => refused(() => Mount.create("proc")));
		expect(error).toMatchObject({ code: "EPERM", syscall: "fsmount", hint: expect.stringContaining("/proc/sys") });
		if (has("Linux 6.18")) expect(error.log).toEqual([expect.stringContaining("too revealing")]);
	},
);

needs("the file system ext4").test("EPERM of mount says the same", async () => {
	await using task = await rootless();
	task.run(() => {
		const error = refused(() => mount("/dev/null", "/tmp", "ext4"));
		expect(error).toMatchObject({ code: "EPERM", syscall: "mount", hint: expect.stringContaining("overlay") });
	});
});

test("EPERM of a remount that drops a locked flag says how to keep the flag", async () => {
	await using outer = await Task.clone(ownMounts);
	outer.run(() => mount("locked", "/tmp", "tmpfs", { flags: ["nosuid"] }));
	await using task = await outer.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	task.run(() => {
		const error = refused(() => mount(null, "/tmp", null, { flags: ["remount", "bind"] }));
		expect(error).toMatchObject({ code: "EPERM", syscall: "mount", hint: expect.stringContaining("mountSetattr") });
	});
});

test("EPERM of reconfigure names the user namespace that has mounted the file system", async () => {
	await using outer = await Task.clone(ownMounts);
	outer.run(() => mount("foreign", "/tmp", "tmpfs"));
	await using task = await outer.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	task.run(() => {
		using context = fspick("/tmp");
		const error = refused(() => context.setString("size", "1m").reconfigure());
		expect(error).toMatchObject({
			code: "EPERM",
			syscall: "fsconfig",
			hint: expect.stringContaining("has mounted it"),
		});
	});
});

test("EPERM of umount and of the calls without a privilege names a task that has the privilege", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => {
		for (const call of [
			() => umount("/tmp"),
			() => pivotRoot("/tmp", "/tmp"),
			() => mount("scratch", "/tmp", "tmpfs"),
			() => openTree("/tmp", { flags: ["clone"] }),
		]) {
			expect(refused(call)).toMatchObject({ code: "EPERM", hint: expect.stringContaining('["user", "mnt"]') });
		}
	});
});

test("EINVAL of mount(2) says where the reason is to be had", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		const option = refused(() => mount("scratch", place, "tmpfs", { data: "size=much" }));
		expect(option).toMatchObject({ code: "EINVAL", syscall: "mount", hint: expect.stringContaining("error.log") });
		const remount = refused(() => mount(null, place, null, { flags: ["remount", "bind", "rdonly"] }));
		expect(remount).toMatchObject({ code: "EINVAL", syscall: "mount", hint: expect.stringContaining("remount") });
	});
});

test("EINVAL of umount and fspick is about the place, and EBUSY of umount about open files", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		for (const call of [() => umount(place), () => fspick(place)]) {
			expect(refused(call)).toMatchObject({ code: "EINVAL", hint: expect.stringContaining("mount point") });
		}
		mount("scratch", place, "tmpfs");
		using file = openat2(`${place}/file`, { flags: ["creat", "wronly"], mode: 0o600 });
		const busy = refused(() => umount(place));
		expect(busy).toMatchObject({ code: "EBUSY", syscall: "umount2", hint: expect.stringContaining('"detach"') });
		file.close();
	});
});

needs("the file system overlay").test("errors of an overlay without a log name the rules for layers", async () => {
	await using box = await sandbox();
	const [lower, upper] = [box.folder("lower"), box.folder("upper")];
	const inside = box.folder("upper/work");
	box.task.run(() => {
		for (const [work, code, word] of [
			[inside, "EINVAL", "dmesg"],
			[lower, "ELOOP", "layer"],
		] as const) {
			const error = refused(() => overlay(upper, { lower: [lower], upper, work }));
			const syscall = has("Linux 6.13") ? "fsconfig" : "mount"; // before, the layers are named in the text of mount(2)
			expect(error).toMatchObject({ code, syscall, hint: expect.stringContaining(word) });
		}
	});
});

test("EINVAL of moveMount is about the place", async () => {
	await using box = await sandbox();
	const [folder, file] = [box.folder("folder"), box.file("file")];
	symlinkSync("folder", box.outside("link"));
	await using other = await Task.clone(ownMounts);
	const foreign = other.run(() => openTree("/"));
	using near = other.get(foreign);
	using passed = box.task.put(near);
	box.task.run(() => {
		using made = Mount.create("tmpfs");
		for (const [from, to] of [
			[made, box.inside("link")],
			[made, file],
			[passed, folder],
		] as const) {
			const { code, syscall, hint, dest } = refused(() => moveMount(from, to)) as SyscallError;
			expect([code, syscall, dest]).toEqual(["EINVAL", "move_mount", to]);
			for (const word of ["link", "directory", "namespace"]) expect(hint).toContain(word);
		}
	});
	foreign.close();
});

test("EINVAL of mountSetattr and pivotRoot is about the place, and path and dest are those of the call", async () => {
	await using box = await sandbox();
	const [plain, other] = [box.folder("plain"), box.folder("other")];
	box.task.run(() => {
		const set = refused(() => mountSetattr(plain, { set: ["rdonly"] }));
		expect(set).toMatchObject({ code: "EINVAL", syscall: "mount_setattr", path: plain, hint: expect.any(String) });
		const pivoted = refused(() => pivotRoot(plain, other));
		expect(pivoted).toMatchObject({ code: "EINVAL", syscall: "pivot_root", path: plain, dest: other });
		expect(pivoted.hint).toContain("private");
	});
});

test("ENOENT of a descriptor as a path names /proc", async () => {
	await using box = await sandbox();
	box.task.run(() => {
		using place = openat2(box.inside(), { flags: ["path"] });
		mount("cover", "/proc", "tmpfs");
		const { code, hint } = refused(() => mount("label", place, "tmpfs"));
		expect(code).toBe("ENOENT");
		expect(hint).toContain("/proc");
		expect(refused(() => mount("label", box.inside("missing"), "tmpfs")).hint).toBeUndefined();
	});
});

test("ENOSYS names the first kernel, or a filter", async () => {
	const calls: [string, number, () => unknown, string][] = [
		["fsopen", 430, () => fsopen("tmpfs"), "5.2"],
		["fspick", 433, () => fspick("/"), "5.2"],
		["open_tree", 428, () => openTree("/"), "5.2"],
		["move_mount", 429, () => moveMount("/a", "/b"), "5.2"],
		["mount_setattr", 442, () => mountSetattr("/", { set: [] }), "5.12"],
		["open_tree_attr", 467, () => openTree("/", { flags: ["clone"], set: [] }), "6.15"],
	];
	for (const [syscall, number, call, kernel] of calls) {
		for (const [code, errno] of [
			["ENOSYS", 38],
			["EPERM", 1],
		] as const) {
			await using task = await Task.clone(ownMounts);
			forbid(task, number, errno);
			const error = task.run(() => refused(call));
			expect(error).toMatchObject({ code, syscall });
			expect(error.hint).toContain("seccomp");
			if (code === "ENOSYS") expect(error.hint).toContain(kernel);
		}
	}
});

test("other errors have no hint", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using context = fsopen("tmpfs").create();
		for (const call of [
			() => fsopen("no-such"),
			() => context.create(),
			() => openTree(box.inside("missing")),
			() => openTree(place, { flags: ["recursive"] }),
			() => moveMount(new Location(undefined, box.inside("missing")), place),
		]) {
			expect("hint" in refused(call)).toBe(false);
		}
		fsmount(context).close();
	});
});

test("the error of a batch has the hint, too", async () => {
	await using box = await sandbox();
	const file = box.file("file");
	const batch = box.task.batch(() => {
		Mount.create("tmpfs").attach(file);
	});
	await expect(batch).rejects.toMatchObject({ code: "EINVAL", hint: expect.stringContaining("directory") });
});

needs("the file system ext4").test(
	"bubblewrap #632 EPERM in a user namespace without capabilities names AppArmor's sysctl and its profile",
	async () => {
		await using box = await sandbox({ namespaces: ["user", "mnt"], idMap: "root" });
		const recorded = box.folder("kernel");
		box.file("kernel/apparmor_restrict_unprivileged_userns", "1\n");
		box.task.run(() => {
			mount(recorded, "/proc/sys/kernel", null, { flags: ["bind"] });
			const error = refused(() => mount("/dev/null", recorded, "ext4"));
			expect(error).toMatchObject({ code: "EPERM", syscall: "mount" });
			for (const words of ["kernel.apparmor_restrict_unprivileged_userns is 1", "userns,"]) {
				expect(error.hint).toContain(words);
			}
		});
	},
);

needs("/proc").test(
	"firejail #463: a chroot into a mount point is inferred where nothing else is in the way",
	async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-chroot-"));
		try {
			await using task = await rootless();
			task.run(() => {
				mount("/", folder, null, { flags: ["bind", "rec"] });
				chroot(folder);
				chdir("/");
			});
			const error = await reason(() => task.clone({ namespaces: ["user"], idMap: "none" }));
			expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("chroot") });
		} finally {
			rmdirSync(folder);
		}
	},
);

needs("/proc", "the file system proc", "pid namespaces").test(
	"EPERM of a proc below covers says first what the program itself can do",
	async () => {
		await using outer = await rootless();
		outer.run(() => mount("/dev/null", "/proc/uptime", null, { flags: ["bind"] }));
		await using task = await outer.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
		task.run(() => {
			const { code, hint } = refused(() => mount("none", "/tmp", "proc"));
			expect(code).toBe("EPERM");
			for (const word of ["/proc/uptime", 'flags: ["bind", "rec"]', "outer pid"]) expect(hint).toContain(word);
		});
	},
);

needs("/proc", "the file system proc", "pid namespaces").test(
	"EPERM of a proc below covers does not blame AppArmor, although its sysctl is 1",
	async () => {
		await using outer = await rootless();
		outer.run(() => {
			mount("none", "/proc/sys/kernel", "tmpfs");
			using file = openat2("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", {
				flags: ["wronly", "creat"],
				mode: 0o644,
			});
			file.write("1");
		});
		await using task = await outer.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
		task.run(() => {
			const { code, hint } = refused(() => mount("none", "/tmp", "proc"));
			expect(code).toBe("EPERM");
			expect(hint).toContain("/proc/sys/kernel");
			expect(hint).not.toContain("apparmor");
		});
	},
);
