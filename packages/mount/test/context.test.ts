import { openSync, symlinkSync } from "node:fs";
import { Location, openat2, pipe, type SyscallError, Task } from "@nearfar/core";
import { FsContext, fsmount, fsopen, fspick, Mount, mount, moveMount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { mountAt, mountsOf, ownMounts, sandbox } from "./sandbox.ts";

const syscall = "fsconfig";
const refused = (fn: () => unknown) => refusal(fn) as SyscallError;

/** Runs `fn` with an open context for a tmpfs in a task with mounts of its own. */
async function withContext(fn: (context: FsContext) => void, fstype = "tmpfs"): Promise<void> {
	await using task = await Task.clone(ownMounts);
	task.run(() => {
		using context = fsopen(fstype);
		fn(context);
	});
}

test("a context makes a file system, and its mount is attached", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using context = fsopen("tmpfs").setString("source", "label").setString("size", "64k").setFlag("ro").create();
		using made = fsmount(context, { set: ["nosuid", "nodev"], atime: "noatime" });
		context.close();
		moveMount(made, place);
	});
	const options = ["rw", "nosuid", "nodev", "noatime"];
	expect(mountAt(box.task, place)).toMatchObject({ type: "tmpfs", source: "label", options });
	expect(mountAt(box.task, place)?.data).toMatch(/^ro,.*size=64k/);
});

test("NMA-01 what fsopen refuses", async () => {
	await using task = await Task.clone(ownMounts);
	task.run(() => {
		expect(refused(() => fsopen("no-such"))).toMatchObject({ code: "ENODEV", syscall: "fsopen" });
		expect(refused(() => fsopen(""))).toMatchObject({ code: "ENODEV", syscall: "fsopen" });
	});
	await using unprivileged = await Task.clone({ namespaces: ["user"] });
	expect(unprivileged.run(() => refused(() => fsopen("tmpfs")))).toMatchObject({ code: "EPERM", syscall: "fsopen" });
});

test("NMA-02 what is no context, and a parameter of the wrong kind", () =>
	withContext((context) => {
		const kinds = [
			() => context.setFlag("size"),
			() => context.setBinary("size", new Uint8Array(1)),
			() => context.setPath("size", "/"),
			() => context.setFlag("no-such"),
			() => context.setString("size", "much"),
		];
		for (const kind of kinds) expect(refused(kind)).toMatchObject({ code: "EINVAL", syscall });
		using file = openat2("/");
		expect(refused(() => context.setFd("size", file))).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(() => context.setPath("size", file))).toMatchObject({ code: "EINVAL", syscall });
		neverOpen((fd) => expect(refused(() => context.setFd("size", fd))).toMatchObject({ code: "EBADF", syscall }));
		// None of these has spent the context.
		context.setString("size", "1m").create();
	}));

test("NMA-03 a key or a value of more than 255 bytes is a RangeError, and one of 255 reaches the kernel", () =>
	withContext((context) => {
		const [longest, longer] = ["x".repeat(255), "x".repeat(256)];
		const tooLong = [
			() => context.setFlag(longer),
			() => context.setFlag(`${"x".repeat(254)}é`),
			() => context.setString(longer, "x"),
			() => context.setString("source", longer),
			() => context.setString("source", Buffer.from(longer)),
			() => context.setBinary(longer, new Uint8Array(1)),
			() => context.setPath(longer, "/"),
			() => context.setFd(longer, context),
			() => context.set({ source: "a", size: longer }),
			() => context.set(`source=a,${longer}`),
		];
		for (const call of tooLong) expect(refused(call)).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(refused(() => context.setFlag(longest))).toMatchObject({ code: "EINVAL", syscall });
		context.setString("source", longest).create();
	}));

test("util-linux #1992 a value that fsconfig cannot take is refused with its limit, before any call", () =>
	withContext((context) => {
		const lowerdir = `/${"layer".repeat(60)}`;
		expect(refused(() => context.set({ "lowerdir+": "/usr", lowerdir }))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	}, "tmpfs"));

test("bytes for a parameter are 1 to 1048576", () =>
	withContext((context) => {
		const binary = (length: number) => refused(() => context.setBinary("no-such", new Uint8Array(length)));
		expect(binary(0)).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(binary(1024 * 1024 + 1)).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(binary(1)).toMatchObject({ code: "EINVAL", syscall });
		expect(binary(1024 * 1024)).toMatchObject({ code: "EINVAL", syscall });
	}));

test("wrong arguments of a context are refused before any call", () =>
	withContext((context) => {
		const wrong: [() => unknown, string][] = [
			[() => fsopen(1 as never), "ERR_INVALID_ARG_TYPE"],
			[() => fsopen("a\0b"), "ERR_INVALID_ARG_VALUE"],
			[() => fspick(1 as never), "ERR_INVALID_ARG_TYPE"],
			[() => fspick("a\0b"), "ERR_INVALID_ARG_VALUE"],
			[() => context.setFlag(1 as never), "ERR_INVALID_ARG_TYPE"],
			[() => context.setFlag("a\0b"), "ERR_INVALID_ARG_VALUE"],
			[() => context.setString("a", 1 as never), "ERR_INVALID_ARG_TYPE"],
			[() => context.setString("a", "a\0b"), "ERR_INVALID_ARG_VALUE"],
			[() => context.setString("a", Buffer.from("a\0b")), "ERR_INVALID_ARG_VALUE"],
			[() => context.setBinary("a", "text" as never), "ERR_INVALID_ARG_TYPE"],
			[() => context.setPath("a", new Location(undefined, "/", { symlinks: false })), "ERR_INVALID_ARG_VALUE"],
			[() => context.setFd("a", 1 as never), "ERR_INVALID_ARG_TYPE"],
			[() => context.create({ exclusive: 1 as never }), "ERR_INVALID_ARG_TYPE"],
			[() => context.create({ unknown: true } as never), "ERR_INVALID_ARG_VALUE"],
			[() => fsmount({} as never), "ERR_INVALID_ARG_TYPE"],
			[() => fsmount(context, { set: ["idmap"] }), "ERR_INVALID_ARG_VALUE"],
			[() => fsmount(context, { set: 0x10_0000 }), "ERR_INVALID_ARG_VALUE"],
			[() => fsmount(context, { set: ["no-such"] as never }), "ERR_INVALID_ARG_VALUE"],
			[() => fsmount(context, { flags: 2 ** 32 }), "ERR_OUT_OF_RANGE"],
			[() => fsmount(context, { atime: "never" as never }), "ERR_INVALID_ARG_VALUE"],
			[() => fsmount(context, { clear: [] } as never), "ERR_INVALID_ARG_VALUE"],
			[() => Mount.create("tmpfs", { set: ["idmap"] }), "ERR_INVALID_ARG_VALUE"],
			[() => Mount.create("tmpfs", { unknown: 1 } as never), "ERR_INVALID_ARG_VALUE"],
		];
		for (const [call, code] of wrong) expect([`${call}`, refused(call).code]).toEqual([`${call}`, code]);
		context.create();
	}));

test("the order of calls: fsmount too early is EINVAL, and what comes twice or in between is EBUSY", () =>
	withContext((context) => {
		expect(refused(() => fsmount(context))).toMatchObject({ code: "EINVAL", syscall: "fsmount" });
		context.create();
		expect(refused(() => context.create())).toMatchObject({ code: "EBUSY", syscall });
		expect(refused(() => context.setFlag("ro"))).toMatchObject({ code: "EBUSY", syscall });
		fsmount(context).close();
		expect(refused(() => fsmount(context))).toMatchObject({ code: "EBUSY", syscall: "fsmount" });
		context.setFlag("ro").reconfigure();
	}));

needs("the file system overlay").test("a create that fails spends the context", () =>
	withContext((context) => {
		expect(refused(() => context.create())).toMatchObject({
			code: expect.stringMatching(/^(EINVAL|ENOENT)$/),
			syscall,
		});
		const again = [() => context.setString("lowerdir", "/usr"), () => context.create(), () => context.reconfigure()];
		for (const call of again) expect(refused(call)).toMatchObject({ code: "EBUSY", syscall });
		// Without a file system fsmount says EINVAL, as it does too early.
		expect(refused(() => fsmount(context))).toMatchObject({ code: "EINVAL", syscall: "fsmount" });
	}, "overlay"),
);

test("NMA-06 what fsmount refuses", () =>
	withContext((context) => {
		context.create();
		expect(refused(() => fsmount(context, { flags: 0x4000_0000 }))).toMatchObject({
			code: "EINVAL",
			syscall: "fsmount",
		});
		expect(refused(() => fsmount(context, { set: 0x4000_0000 }))).toMatchObject({ code: "EINVAL", syscall: "fsmount" });
		const closed = fsopen("tmpfs");
		closed.close();
		expect(refused(() => fsmount(closed)).code).toBe("ERR_NEARFAR_CLOSED");
		using mounted = fsmount(context);
		expect(mounted).toBeInstanceOf(Mount);
	}));

test("NMA-33 contexts and mounts are close-on-exec, and so no program sees what a fresh proc shows (procfs and libpathrs #62)", () =>
	withContext((context) => {
		expect(context.closeOnExec).toBe(true);
		using made = fsmount(context.create(), { flags: 0 });
		expect(made.closeOnExec).toBe(true);
		using picked = fspick(made);
		expect(picked.closeOnExec).toBe(true);
	}));

test("NMA-07 fspick reconfigures what is mounted", async () => {
	await using box = await sandbox();
	const [place, plain] = [box.folder("place"), box.folder("plain")];
	box.task.run(() => {
		mount("label", place, "tmpfs");
		using context = fspick(place).setString("size", "128k").reconfigure();
		context.setFlag("ro").reconfigure();
		expect(refused(() => fspick(plain))).toMatchObject({ code: "EINVAL", syscall: "fspick", path: plain });
		const missing = box.inside("missing");
		expect(refused(() => fspick(missing))).toMatchObject({ code: "ENOENT", syscall: "fspick", path: missing });
		neverOpen((fd) => expect(refused(() => fspick(fd))).toMatchObject({ code: "EBADF", syscall: "fspick" }));
		expect(refused(() => openat2(`${place}/file`, { flags: ["creat", "wronly"], mode: 0o600 }))).toMatchObject({
			code: "EROFS",
		});
	});
	expect(mountAt(box.task, place)?.data).toMatch(/^ro,.*size=128k/);
	await using unprivileged = await box.task.clone({ namespaces: ["user"] });
	expect(unprivileged.run(() => refused(() => fspick(place)))).toMatchObject({ code: "EPERM", syscall: "fspick" });
});

test("a flag that a context has set is taken away by its next reconfigure, unless it is set again", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const isReadOnly = () => mountAt(box.task, place)?.data.split(",").includes("ro");
	using context = box.task.run(() => {
		mount("label", place, "tmpfs");
		return fspick(place).setFlag("ro").reconfigure();
	});
	expect(isReadOnly()).toBe(true);
	box.task.run(() => fspick(place).setString("size", "128k").reconfigure().close());
	expect(isReadOnly()).toBe(true);
	box.task.run(() => context.setString("size", "256k").reconfigure());
	expect(isReadOnly()).toBe(false);
});

test("lisy: a descriptor is picked itself, and a Location says whether a link is followed", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	symlinkSync("place", box.outside("link"));
	box.task.run(() => {
		mount("label", place, "tmpfs");
		using root = openat2(place, { flags: ["path"] });
		using above = openat2(box.inside(), { flags: ["path"] });
		for (const at of [
			root,
			new Location(above, "place"),
			box.inside("link"),
			new Location(undefined, box.inside("link")),
		]) {
			fspick(at).setFlag("ro").reconfigure().close();
		}
		fspick(new Location(root, "", { emptyPath: true })).close();
		fspick(new Location(undefined, place, { automount: false })).close();
		const link = new Location(undefined, box.inside("link"), { symlinks: false });
		expect(refused(() => fspick(link))).toMatchObject({ code: "EINVAL", syscall: "fspick" });
	});
});

test("NMA-25 a context of another user namespace is EPERM", async () => {
	await using outer = await Task.clone(ownMounts);
	await using inner = await outer.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	using context = outer.run(() => fsopen("tmpfs"));
	using near = outer.get(context);
	using passed = inner.put(near);
	inner.run(() => {
		const calls = [() => passed.create(), () => fsmount(passed)];
		expect(refused(calls[0] as never)).toMatchObject({ code: "EPERM", syscall });
		expect(refused(calls[1] as never)).toMatchObject({ syscall: "fsmount" });
	});
	expect(passed).toBeInstanceOf(FsContext);
});

needs("the file system proc", "a /proc and a /sys that nothing hides").test(
	"NMA-28 a parameter of proc after create is EBUSY",
	async () => {
		const namespaces = [...(ownMounts.namespaces ?? []), "pid"] as const;
		await using task = await Task.clone({ ...ownMounts, namespaces });
		task.run(() => {
			using context = fsopen("proc").setString("subset", "pid").create();
			expect(refused(() => context.setString("hidepid", "2"))).toMatchObject({ code: "EBUSY", syscall });
			using proc = fsmount(context);
			expect(refused(() => proc.open("meminfo"))).toMatchObject({ code: "ENOENT" });
			proc.open("self/stat").close();
		});
	},
);

test("a mount lives on after its context was closed", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		const context = fsopen("tmpfs").create();
		using made = fsmount(context);
		context.close();
		made.open("file", { flags: ["creat", "wronly"], mode: 0o600 }).close();
		moveMount(made, place);
		expect(refused(() => context.setFlag("ro")).code).toBe("ERR_NEARFAR_CLOSED");
	});
	expect(mountsOf(box.task).some(({ at }) => at === place)).toBe(true);
});

needs("Linux 6.6", "cgroup namespaces", "the file system cgroup2").test(
	"an exclusive create is EBUSY where the file system exists already, and an ordinary one finds it",
	async () => {
		await using task = await Task.clone({ ...ownMounts, namespaces: [...(ownMounts.namespaces ?? []), "cgroup"] });
		task.run(() => {
			using first = Mount.create("cgroup2");
			const again = refused(() => Mount.create("cgroup2", { exclusive: true }));
			expect(again).toMatchObject({ code: "EBUSY", syscall });
			using second = Mount.create("cgroup2", { exclusive: false });
			expect([first.closed, second.closed]).toEqual([false, false]);
		});
	},
);

needs("Linux 6.13", "the file system overlay").test("descriptors are the layers of an overlay", async () => {
	await using box = await sandbox();
	const [upper, lower, place] = [box.folder("upper"), box.folder("a,b:c"), box.folder("place")];
	box.file("upper/first");
	box.file("a,b:c/second");
	box.task.run(() => {
		using top = openat2(upper, { flags: ["path", "directory"] });
		using bottom = openat2(lower, { flags: ["path", "directory"] });
		using context = fsopen("overlay").setFd("lowerdir+", top).set({ "lowerdir+": bottom }).create();
		using made = fsmount(context);
		moveMount(made, place);
		openat2(`${place}/first`).close();
		openat2(`${place}/second`).close();
		expect(top.closed).toBe(false);
	});
	await box.task.batch(() => {
		using top = openat2(upper, { flags: ["path", "directory"] });
		using bottom = openat2(lower, { flags: ["path", "directory"] });
		using made = Mount.create("overlay", { data: { "lowerdir+": [bottom, top] } });
		made.open("second").close();
	});
});

needs("Linux 6.6").test("an exclusive create refuses a file system that exists", () =>
	withContext((context) => {
		context.create({ exclusive: true });
		using made = fsmount(context);
		expect(made.closed).toBe(false);
	}),
);

test("set makes one call for each part, in order, and checks all of them first", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using context = fsopen("tmpfs").set({ size: "64k", ro: true, mode: "700", nr_inodes: 100, huge: false });
		expect(refused(() => context.set({ nr_inodes: 50, size: "much", mode: "755" }))).toMatchObject({ code: "EINVAL" });
		expect(refused(() => context.set({ nr_inodes: 10, size: "a\0b" }))).toMatchObject({
			code: "ERR_INVALID_ARG_VALUE",
		});
		using made = fsmount(context.create());
		moveMount(made, place);
	});
	expect(mountAt(box.task, place)?.data.split(",")).toEqual(
		expect.arrayContaining(["ro", "size=64k", "nr_inodes=50", "mode=700"]),
	);
});

test("nsjail #70 an attribute among the parameters is EINVAL with a log", () =>
	withContext((context) => {
		for (const key of ["nosuid", "noatime"]) {
			expect(refused(() => context.setFlag(key))).toMatchObject({
				code: "EINVAL",
				log: [expect.stringContaining("Unknown parameter")],
			});
		}
	}));

test("calls on another file than a context read nothing from it", async () => {
	await using task = await Task.clone(ownMounts);
	task.run(() => {
		const [read, write] = pipe();
		write.write("x");
		const number = read.take();
		using context = FsContext.from(number);
		expect(refused(() => context.setFlag("ro"))).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(() => context.log())).toMatchObject({ code: "EINVAL", syscall });
		expect(`${context.read(1)}`).toBe("x");
		// The pipe is empty now: a read would wait for ever.
		expect(refused(() => context.setFlag("ro"))).toMatchObject({ code: "EINVAL", syscall });
		expect(refused(() => fsmount(context))).toMatchObject({ code: "EINVAL", syscall: "fsmount" });
		write.close();
	});
	await expect(
		task.batch(() => {
			const [read] = pipe();
			FsContext.prototype.setFlag.call(read as FsContext, "ro");
		}),
	).rejects.toBeInstanceOf(TypeError);
});

test("near calls on another file than a context read nothing from it", () => {
	const [read, write] = pipe();
	using context = FsContext.from(read.take());
	expect(refused(() => context.setFlag("ro"))).toMatchObject({ code: "EINVAL", syscall });
	expect(refused(() => context.log())).toMatchObject({ code: "EINVAL", syscall });
	write.close();
	using file = FsContext.from(openSync("/proc/self/status", "r"));
	expect(refused(() => file.log())).toMatchObject({ code: "EINVAL", syscall });
});

test("a context can be passed on, and its copy is a context", async () => {
	await using task = await Task.clone(ownMounts);
	task.run(() => {
		using context = fsopen("tmpfs");
		using copy = context.dup();
		expect(copy).toBeInstanceOf(FsContext);
		copy.setFlag("ro").create();
		fsmount(context).close();
	});
});
