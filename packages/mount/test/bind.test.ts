import { statfsSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type LocationLike, openat2, type SyscallError, Task } from "@nearfar/core";
import { bind, type Mount, mount, moveMount, proc, tmpfs, umount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { has, needs, skipUnless } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { mappedOwners, mountAt, mountsOf, namespaceFor, ownMounts, type Sandbox, sandbox, traces } from "./sandbox.ts";

const SYS_mount_setattr = 442;
const [ENOSYS, EXT4_MAGIC] = [38, 0xef53];

/** Returns the options of the mounts at a place and below, by the rest of their paths. */
function optionsBelow(task: Task, place: string): Record<string, string[]> {
	const below = mountsOf(task).filter(({ at }) => at === place || at.startsWith(`${place}/`));
	return Object.fromEntries(below.map(({ at, options }) => [at.slice(place.length), options]));
}

/** Makes a tmpfs with another tmpfs on its folder `below`, and returns its place. */
function nested(box: Sandbox): string {
	const source = box.folder("source");
	box.task.run(() => tmpfs(source, { set: [] }));
	const below = box.folder("source/below");
	box.task.run(() => tmpfs(below, { set: [] }));
	return source;
}

/** A task of a less privileged namespace below, for which all attributes of the sandbox are locked. */
function lessPrivileged(box: Sandbox) {
	return box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
}

test("bubblewrap #11: a read-only bind makes everything below read-only, and leaves the source writable", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	box.task.run(() => {
		const before = traces(box.task);
		using copy = bind(source, null, { set: ["rdonly", "nosuid"] });
		expect(traces(box.task).mounts).toBe(before.mounts);
		const how = { flags: ["creat", "wronly"], mode: 0o600 } as const;
		expect(refusal(() => copy.open("below/early", how))).toMatchObject({ code: "EROFS" });
		moveMount(copy, place);
	});
	const reached = expect.arrayContaining(["ro", "nosuid"]);
	expect(optionsBelow(box.task, place)).toEqual({ "": reached, "/below": reached });
	const kept = expect.not.arrayContaining(["ro"]);
	expect(optionsBelow(box.task, source)).toEqual({ "": kept, "/below": kept });
	writeFileSync(box.outside("source/below/file"), "");
	expect(refusal(() => writeFileSync(box.outside("place/below/other"), ""))).toMatchObject({ code: "EROFS" });
});

test("a bind without options has the mounts below and the attributes of the source", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	box.task.run(() => {
		mount(null, `${source}/below`, null, { flags: ["remount", "bind", "noexec", "noatime"] });
		bind(source, place);
	});
	expect(optionsBelow(box.task, place)).toEqual(optionsBelow(box.task, source));
});

test("recursive: false copies one mount", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	box.task.run(() => bind(source, place, { recursive: false, set: ["rdonly"] }));
	expect(Object.keys(optionsBelow(box.task, place))).toEqual([""]);
});

test("set, clear and atime in one call: the kernel clears first", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.task.run(() => {
		tmpfs(source, { set: ["rdonly", "nosuid", "nodev"] });
		bind(source, place, { clear: ["rdonly", "nosuid"], set: ["noexec"], atime: "noatime" });
	});
	expect(mountAt(box.task, place)?.options).toEqual(["rw", "nodev", "noexec", "noatime"]);
	expect(mountAt(box.task, source)?.options).toEqual(["ro", "nosuid", "nodev", "relatime"]);
});

test("bst PR 64: a kernel without mount_setattr is ENOSYS, and nothing is mounted", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	forbid(box.task, SYS_mount_setattr, ENOSYS);
	const before = traces(box.task);
	const refused = box.task.run(() => refusal(() => bind(box.inside(), place, { set: ["rdonly"] })));
	expect(refused).toMatchObject({ code: "ENOSYS", syscall: "mount_setattr", hint: expect.any(String) });
	expect(traces(box.task)).toEqual(before);
	box.task.run(() => bind(box.inside(), place));
});

test("moby #22994, MNT-18: what is locked stays and costs nothing, unless clear or atime would change it", async () => {
	await using box = await sandbox();
	const source = box.folder("source");
	const place = box.folder("place");
	box.task.run(() => tmpfs(source, { set: ["rdonly", "nosuid", "nodev"] }));
	await using task = await lessPrivileged(box);
	const before = traces(task);
	for (const options of [
		{ clear: ["nosuid"] },
		{ clear: ["rdonly"], set: ["noexec"] },
		{ atime: "noatime" },
	] as const) {
		const refused = task.run(() => refusal(() => bind(source, place, options)));
		expect(refused).toMatchObject({ code: "EPERM", syscall: "mount_setattr" });
		expect(traces(task)).toEqual(before);
	}
	task.run(() => bind(source, place, { set: ["noexec"], atime: "relatime" }));
	expect(mountAt(task, place)?.options).toEqual(["ro", "nosuid", "nodev", "noexec", "relatime"]);
});

test("the hint about a locked attribute is another one than that about a missing privilege", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	box.task.run(() => tmpfs(source));
	await using task = await lessPrivileged(box);
	await using powerless = await Task.clone({ namespaces: ["user"] });
	const locked = task.run(() => refusal(() => bind(source, place, { clear: ["nosuid"] })));
	const missing = powerless.run(() => refusal(() => bind("/usr", "/mnt")));
	expect([locked.code, missing.code]).toEqual(["EPERM", "EPERM"]);
	expect((locked as SyscallError).hint).not.toBe((missing as SyscallError).hint);
});

test("a whole root can be bound read-only where every mount is locked", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	await using task = await lessPrivileged(box);
	const count = mountsOf(task).filter(({ at }) => !at.startsWith(place)).length;
	task.run(() => bind("/", place, { set: ["rdonly", "nosuid"], propagation: "private" }));
	const made = Object.values(optionsBelow(task, place));
	expect(made.length).toBeGreaterThan(count / 2); // mounts that others hide are not counted twice
	for (const options of made) expect(options).toEqual(expect.arrayContaining(["ro", "nosuid"]));
});

test("recursive: false over something that is locked is EINVAL with a hint", async () => {
	await using box = await sandbox();
	const [source, place] = [nested(box), box.folder("place")];
	await using task = await lessPrivileged(box);
	const before = traces(task);
	const refused = task.run(() => refusal(() => bind(source, place, { recursive: false })));
	expect(refused).toMatchObject({ code: "EINVAL", syscall: "open_tree", path: source, hint: expect.any(String) });
	expect(traces(task)).toEqual(before);
	task.run(() => bind(source, place));
});

describe("snapd PR 6885: bind has the propagation that is asked for, all through the copy", () => {
	test.each([
		[undefined, ["shared"]],
		["shared", ["shared"]],
		["private", []],
		["slave", ["master"]],
		["unbindable", ["unbindable"]],
	] as const)("%s becomes %j", async (propagation, expected) => {
		await using box = await sandbox();
		const [source, place] = [nested(box), box.folder("place")];
		box.task.run(() => {
			mount(null, source, null, { flags: ["rec", "shared"] });
			bind(source, place, propagation === undefined ? {} : { propagation, set: ["rdonly"] });
		});
		expect(mountAt(box.task, place)?.propagation).toEqual(expected);
		expect(mountAt(box.task, `${place}/below`)?.propagation).toEqual(expected);
		expect(mountAt(box.task, source)?.propagation).toEqual(["shared"]);
	});
});

describe("runc PR 77: what the two ways to begin in a new mount namespace do", () => {
	test.each(["private", "slave"] as const)("runc PR 77, bubblewrap PR 522: rec %s", async (kind) => {
		await using host = await sandbox();
		const place = host.folder("place");
		host.task.run(() => {
			tmpfs(place);
			mount(null, place, null, { flags: ["shared"] });
		});
		const [early, late, inner] = ["early", "late", "inner"].map((name) => host.folder(`place/${name}`)) as never as [
			string,
			string,
			string,
		];
		host.task.run(() => tmpfs(early));
		await using task = await host.task.clone({ namespaces: ["mnt"] });
		task.run(() => {
			mount(null, "/", null, { flags: ["rec", kind] });
			tmpfs(inner);
		});
		expect(mountAt(host.task, inner)).toBeUndefined();
		host.task.run(() => {
			tmpfs(late);
			umount(early);
		});
		// A private copy keeps what the host has unmounted, and keeps it busy. A slave follows the host.
		expect(mountAt(task, early) !== undefined).toBe(kind === "private");
		expect(mountAt(task, late) !== undefined).toBe(kind === "slave");
	});
});

describe("id maps", () => {
	needs("root", "Linux 6.3").test("IDM-04 owners through a bind with a user namespace", async () => {
		await using box = await sandbox();
		const [source, place] = [box.folder("source"), box.folder("place")];
		const userns = await mappedOwners(box, "source");
		box.task.run(() => {
			bind(source, place, { userns, set: ["nosuid"] });
			userns.close();
		});
		expect(statSync(box.outside("place/of-0"))).toMatchObject({ uid: 10_000, gid: 10_000 });
		expect(statSync(box.outside("place/of-5"))).toMatchObject({ uid: 65_534, gid: 65_534 });
		expect(statSync(box.outside("source/of-0"))).toMatchObject({ uid: 0, gid: 0 });
	});

	async function mapping(box: Sandbox) {
		const task = await box.task.clone({ namespaces: ["user"], idMap: "root" });
		const userns = namespaceFor(box.task, `/proc/${task.pid}/ns/user`);
		return { task, userns, [Symbol.asyncDispose]: () => task[Symbol.asyncDispose]() };
	}

	needs("Linux 6.3").test("IDM-05 tmpfs takes an id map", async () => {
		await using box = await sandbox();
		const [bound, made] = [box.folder("bound"), box.folder("made")];
		await using map = await mapping(box);
		box.task.run(() => {
			bind(box.inside(), bound, { userns: map.userns });
			tmpfs(made, { userns: map.userns });
			map.userns.close();
		});
		expect(mountAt(box.task, bound)?.options).toContain("idmapped");
		expect(mountAt(box.task, made)?.options).toContain("idmapped");
	});

	needs("root").test("IDM-05 ext4 takes an id map", async () => {
		skipUnless(statfsSync("/").type === EXT4_MAGIC, "ext4 on /");
		await using box = await sandbox();
		const place = box.folder("place");
		await using map = await mapping(box);
		box.task.run(() => {
			bind("/", place, { userns: map.userns, recursive: false });
			map.userns.close();
		});
		expect(mountAt(box.task, place)?.options).toContain("idmapped");
	});

	for (const fstype of ["proc", "devpts", "ramfs"]) {
		needs(...(fstype === "proc" ? (["a /proc and a /sys that nothing hides"] as const) : [])).test(
			`IDM-05, runc PR 3949: ${fstype} has no id-mapped mounts: EINVAL with a hint, and nothing is mounted`,
			async () => {
				await using box = await sandbox({ ...ownMounts, namespaces: [...(ownMounts.namespaces ?? []), "pid"] });
				const [source, place] = [box.folder("source"), box.folder("place")];
				box.task.run(() => (fstype === "proc" ? proc(source) : mount("none", source, fstype)));
				await using map = await mapping(box);
				const before = traces(box.task);
				const refused = box.task.run(() => refusal(() => bind(source, place, { userns: map.userns })));
				expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount_setattr", hint: expect.any(String) });
				expect(traces(box.task)).toEqual(before);
				box.task.run(() => map.userns.close());
			},
		);
	}

	test("nsjail PR 344: with a mount below that takes no id map nothing at all is attached", async () => {
		await using box = await sandbox();
		const [source, place] = [nested(box), box.folder("place")];
		box.task.run(() => mount("none", `${source}/below`, "ramfs"));
		await using map = await mapping(box);
		const before = traces(box.task);
		const refused = box.task.run(() => refusal(() => bind(source, place, { userns: map.userns })));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount_setattr" });
		expect(traces(box.task)).toEqual(before);
		box.task.run(() => map.userns.close());
	});

	needs("Linux 6.15").test("systemd PR 38069: clear takes the id map of a copy away, or replaces it", async () => {
		await using box = await sandbox();
		const [mapped, plain, again] = [box.folder("mapped"), box.folder("plain"), box.folder("again")];
		await using map = await mapping(box);
		box.task.run(() => {
			bind(box.inside(), mapped, { userns: map.userns });
			const refused = refusal(() => bind(mapped, again, { userns: map.userns }));
			expect(refused).toMatchObject({ code: "EPERM", syscall: "mount_setattr" });
			bind(mapped, plain, { clear: ["idmap"], set: ["noexec"] });
			bind(mapped, again, { clear: ["idmap"], userns: map.userns });
			map.userns.close();
		});
		expect(mountAt(box.task, plain)?.options).toEqual(expect.arrayContaining(["noexec"]));
		expect(mountAt(box.task, plain)?.options).not.toContain("idmapped");
		expect(mountAt(box.task, again)?.options).toContain("idmapped");
		expect(mountAt(box.task, mapped)?.options).toContain("idmapped");
	});
});

test("what bind refuses of a source", async () => {
	await using box = await sandbox();
	const [place, unbindable, file] = [box.folder("place"), box.folder("unbindable"), box.file("file")];
	symlinkSync("loop", box.outside("loop"));
	box.task.run(() => tmpfs(unbindable, { propagation: "unbindable" }));
	const before = traces(box.task);
	const foreign = namespaceFor(box.task, "/");
	const cases: [LocationLike, string][] = [
		[box.inside("missing"), "ENOENT"],
		["", "ENOENT"],
		[`${file}/below`, "ENOTDIR"],
		[box.inside("n".repeat(256)), "ENAMETOOLONG"],
		[box.inside("loop"), "ELOOP"],
		[unbindable, "EINVAL"],
		[foreign, "EINVAL"],
	];
	for (const [source, code] of cases) {
		const expected = { code, syscall: "open_tree", ...(typeof source === "string" && source && { path: source }) };
		expect(box.task.run(() => refusal(() => bind(source, place)))).toMatchObject(expected);
		await expect(box.task.batch(() => bind(source, place))).rejects.toMatchObject(expected);
	}
	box.task.run(() => foreign.close());
	expect(traces(box.task)).toEqual(before);
	await using powerless = await Task.clone({ namespaces: ["user"] });
	const refused = powerless.run(() => refusal(() => bind("/usr", "/mnt")));
	expect(refused).toMatchObject({ code: "EPERM", syscall: "open_tree", hint: expect.any(String) });
});

test("a bind of a part of a detached mount is a part of the copy", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using copy: Mount = bind(box.inside(), null);
		using part = copy.open("place", { flags: ["path", "directory"] });
		if (has("Linux 6.15")) bind(part, place);
		else expect(refusal(() => bind(part, place))).toMatchObject({ code: "EINVAL", syscall: "open_tree" });
		openat2(place).close();
	});
});
