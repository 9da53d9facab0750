// What the functions of one call have in common: where the mount goes, what stays of it, and which arguments are refused.
import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { Location, mkdir, openat2, Task } from "@nearfar/core";
import { bind, cgroup2, devpts, Mount, moveMount, mqueue, overlay, proc, sysfs, tmpfs, umount } from "@nearfar/mount";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { mountAt, mountsOf, ownMounts, sandbox, traces } from "./sandbox.ts";

const [SYS_fsopen, SYS_open_tree, ENOSYS] = [430, 428, 38];

const lower = ["/usr", "/etc"];

/** The functions that this user may call with mounts of its own, by name: with a target, and with `null`. */
const makers = {
	"bind of a directory": { attach: (to: never) => bind("/usr", to), detach: () => bind("/usr", null) },
	tmpfs: { attach: (to: never) => tmpfs(to), detach: () => tmpfs(null) },
	devpts: { attach: (to: never) => devpts(to), detach: () => devpts(null) },
	overlay: { attach: (to: never) => overlay(to, { lower }), detach: () => overlay(null, { lower }) },
} as const;

describe.each(Object.entries(makers))("%s", (name, { attach, detach }) => {
	const known = needs(...(name === "overlay" ? (["the file system overlay"] as const) : []));
	// Before Linux 6.13 mount(2) makes an overlay, with errors of its own, and no batch and no descriptor can hold that overlay.
	const detached = needs(...(name === "overlay" ? (["Linux 6.13"] as const) : []));

	known.test("with a target the mount stays and no descriptor does", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const before = traces(box.task);
		expect(box.task.run(() => attach(place as never))).toBeUndefined();
		expect(traces(box.task).descriptors).toBe(before.descriptors);
		expect(mountAt(box.task, place)).toBeDefined();
		box.task.run(() => umount(place));
		expect(traces(box.task)).toEqual(before);
	});

	detached.test("with null the mount is detached, and ends with its scope where it is attached", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const before = traces(box.task);
		box.task.run(() => {
			using made = detach();
			expect(made).toBeInstanceOf(Mount);
			expect(made.closeOnExec).toBe(true);
			expect(traces(box.task).mounts).toBe(before.mounts);
			made.attach(place);
			expect(mountAt(box.task, place)).toBeDefined();
		});
		expect(traces(box.task)).toEqual(before);
	});

	detached.test(
		"NMA-10, bubblewrap #390: a link at the target is not followed, whatever it leads to, and nothing is created",
		async () => {
			await using box = await sandbox();
			box.folder("real");
			const links = { relative: "real", absolute: box.inside("real"), chained: "relative", dangling: "nowhere" };
			for (const [name, target] of Object.entries(links)) symlinkSync(target, box.outside(name));
			const before = [traces(box.task), readdirSync(box.outside())];
			for (const name of Object.keys(links)) {
				const refused = box.task.run(() => refusal(() => attach(box.inside(name) as never)));
				expect(refused).toMatchObject({ code: "EINVAL", syscall: "move_mount", hint: expect.any(String) });
				expect([traces(box.task), readdirSync(box.outside())]).toEqual(before);
			}
			for (const name of ["relative", "absolute", "chained"]) {
				box.task.run(() => attach(new Location(undefined, box.inside(name)) as never));
				expect(mountAt(box.task, box.inside("real"))).toBeDefined();
				box.task.run(() => umount(box.inside("real")));
			}
			const refused = (place: unknown) => box.task.run(() => refusal(() => attach(place as never)));
			const dangling = new Location(undefined, box.inside("dangling"));
			expect(refused(dangling)).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
			const unfollowed = new Location(undefined, box.inside("relative"), { symlinks: false });
			expect(refused(unfollowed)).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
			expect([traces(box.task), readdirSync(box.outside())]).toEqual(before);
		},
	);

	known.test("a link on the way to the target is followed", async () => {
		await using box = await sandbox();
		const place = box.folder("real/place");
		symlinkSync("real", box.outside("link"));
		box.task.run(() => attach(box.inside("link/place") as never));
		expect(mountAt(box.task, place)).toBeDefined();
	});

	known.test(
		"an open descriptor is the place itself, also one that openat2 has found inside of a foreign tree",
		async () => {
			await using box = await sandbox();
			const place = box.folder("tree/inner");
			symlinkSync("/inner", box.outside("tree/link"));
			box.task.run(() => {
				using tree = openat2(box.inside("tree"), { flags: ["path", "directory"] });
				using found = openat2(new Location(tree, "link"), { flags: ["path", "directory"], resolve: ["inRoot"] });
				attach(found as never);
				expect(mountAt(box.task, place)).toBeDefined();
				attach(new Location(tree, "inner") as never);
			});
		},
	);

	detached.test("a missing target, a file, and a path below a file", async () => {
		await using box = await sandbox();
		const [missing, file] = [box.inside("missing"), box.file("file")];
		const before = [traces(box.task), readdirSync(box.outside())];
		const cases = [
			[missing, "ENOENT"],
			[file, "EINVAL"],
			[`${file}/below`, "ENOTDIR"],
			["", "ENOENT"],
			[box.inside("n".repeat(256)), "ENAMETOOLONG"],
		] as const;
		for (const [dest, code] of cases) {
			const expected = { code, syscall: "move_mount", ...(dest && { dest }) };
			expect(box.task.run(() => refusal(() => attach(dest as never)))).toMatchObject(expected);
			await expect(box.task.batch(() => attach(dest as never))).rejects.toMatchObject(expected);
		}
		expect([traces(box.task), readdirSync(box.outside())]).toEqual(before);
	});

	detached.test("a batch that fails after create leaves neither a mount nor a descriptor", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const before = traces(box.task);
		const failing = box.task.batch(() => {
			const kept = detach();
			attach(box.inside("missing") as never);
			attach(place as never);
			return kept;
		});
		const error = (await failing.catch((error: unknown) => error)) as { step: number };
		expect(error).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
		expect(error.step).toBeGreaterThan(1);
		expect(traces(box.task)).toEqual(before);
	});

	detached.test("in a batch the mount is made, and a detached one can be used by later calls", async () => {
		await using box = await sandbox();
		const [place, other, third] = [box.folder("place"), box.folder("other"), box.folder("third")];
		const { descriptors } = traces(box.task);
		await box.task.batch(() => {
			attach(place as never);
			using made = detach();
			moveMount(made, other);
			using copy = bind(made, null, { set: ["rdonly"] });
			using target = openat2(third, { flags: ["path", "directory"] });
			moveMount(copy, target);
			attach(target as never);
		});
		for (const at of [place, other]) expect(mountAt(box.task, at)?.options).not.toContain("ro");
		const stacked = mountsOf(box.task).filter(({ at }) => at === third);
		expect(stacked.map(({ options }) => options.includes("ro"))).toEqual(expect.arrayContaining([true, false]));
		expect(traces(box.task).descriptors).toBe(descriptors);
	});
});

describe("files", () => {
	test("NMA-10 a file goes on a file, and on a link it covers the link itself", async () => {
		await using box = await sandbox();
		const [source, place, folder] = [box.file("source", "content"), box.file("place"), box.folder("folder")];
		symlinkSync("real", box.outside("link"));
		box.file("real", "untouched");
		box.task.run(() => {
			bind(source, place);
			bind(source, box.inside("link"), { set: ["rdonly"] });
			expect(refusal(() => bind(source, folder))).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
		});
		expect(readFileSync(box.outside("place"), "utf8")).toBe("content");
		expect(mountAt(box.task, box.inside("link"))?.options).toContain("ro");
		expect(lstatSync(box.outside("link")).isFile()).toBe(true);
		expect(mountAt(box.task, box.inside("real"))).toBeUndefined();
		box.task.run(() => umount(new Location(undefined, box.inside("link"), { symlinks: false })));
		expect(lstatSync(box.outside("link")).isSymbolicLink()).toBe(true);
		expect(readFileSync(box.outside("real"), "utf8")).toBe("untouched");
	});

	test("a link as the source is followed, unless a Location says no", async () => {
		await using box = await sandbox();
		const [place, other, third] = [box.file("place"), box.file("other"), box.file("third")];
		box.file("real", "content");
		symlinkSync("real", box.outside("link"));
		const link = box.inside("link");
		box.task.run(() => {
			bind(link, place);
			bind(new Location(undefined, link), other);
			bind(new Location(undefined, link, { symlinks: false }), third);
		});
		for (const name of ["place", "other"]) expect(mountAt(box.task, box.inside(name))?.root).toMatch(/\/real$/);
		expect(mountAt(box.task, third)?.root).toMatch(/\/link$/);
	});
});

describe("names", () => {
	const bytes = Buffer.from([0xff, 0x2c, 0x3a, 0x5c, 0x22, 0x0a, 0x20, 0xfe]);
	const names = [",", ":", "\\", '"', "a\nb", "a b\tc", "-", "a,b:c=d", "é", "#", bytes];

	/** Returns the escapes of mountinfo for a name, in Latin-1. A `#` is escaped in sources alone. */
	function escaped(name: string | Buffer, characters = /[ \t\n\\]/g): string {
		const octal = (byte: string) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`;
		return Buffer.from(name as string)
			.toString("latin1")
			.replace(characters, octal);
	}

	test.each(names)("%j names a source, a target and a label", async (name) => {
		await using box = await sandbox();
		const within = (folder: string) => new Location(undefined, box.folder(folder)).join(name);
		const [from, to, memory] = [within("from"), within("to"), within("memory")];
		box.task.run(() => {
			for (const place of [from, to, memory]) mkdir(place);
			bind(from, to, { set: ["rdonly"] });
			tmpfs(memory, { source: typeof name === "string" ? name : Buffer.from(name) });
		});
		const mounts = readFileSync(`/proc/${box.task.pid}/mountinfo`, "latin1");
		expect(mounts).toContain(`/from/${escaped(name)} ${box.inside("to")}/${escaped(name)} ro,`);
		const made = mounts.split("\n").find((line) => line.includes(` ${box.inside("memory")}/${escaped(name)} `));
		expect(made).toContain(` - tmpfs ${escaped(name, /[ \t\n\\#]/g)} `);
	});
});

test("a label of more than 255 bytes is refused, one of 255 is not", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		tmpfs(place, { source: "s".repeat(255) });
		expect(refusal(() => tmpfs(place, { source: "é".repeat(128) })).code).toBe("ERR_OUT_OF_RANGE");
	});
});

test("near the functions mount for this process: Node as root of its own mounts", async () => {
	await using box = await sandbox();
	const fixture = fixturePath("mount/near-helpers");
	const child = box.task.exec(process.execPath, [process.execPath, fixture, box.folder("place"), box.folder("other")]);
	await child.check();
});

describe("wrong arguments are refused before any call", () => {
	let task: Task;
	beforeAll(async () => {
		task = await Task.clone(ownMounts);
		for (const nr of [SYS_fsopen, SYS_open_tree]) forbid(task, nr, ENOSYS);
	});
	afterAll(() => task[Symbol.asyncDispose]());

	const make: Record<string, (target: never, options?: never) => unknown> = {
		tmpfs,
		proc,
		devpts,
		sysfs,
		cgroup2,
		mqueue,
	};
	const both: Record<string, (target: never, options?: never) => unknown> = {
		...make,
		bind: (target: never, options?: never) => bind("/usr", target, options),
	};
	const options: [string, unknown, string][] = [
		["an unknown option", { readonly: true }, "ERR_INVALID_ARG_VALUE"],
		["options that are a list", [], "ERR_INVALID_ARG_TYPE"],
		["an unknown attribute", { set: ["ro"] }, "ERR_INVALID_ARG_VALUE"],
		["an unknown attribute to clear", { clear: ["ro"] }, "ERR_INVALID_ARG_VALUE"],
		["idmap without a user namespace", { set: ["idmap"] }, "ERR_INVALID_ARG_VALUE"],
		["attributes that are a string", { set: "rdonly" }, "ERR_INVALID_ARG_TYPE"],
		["negative attributes", { set: -1 }, "ERR_OUT_OF_RANGE"],
		["an unknown propagation", { propagation: "both" }, "ERR_INVALID_ARG_VALUE"],
		["an unknown atime", { atime: "never" }, "ERR_INVALID_ARG_VALUE"],
		["a user namespace that is a number", { userns: 5 }, "ERR_INVALID_ARG_TYPE"],
	];
	const created: [string, unknown, string][] = [
		["a source that is a number", { source: 1 }, "ERR_INVALID_ARG_TYPE"],
		["a source with a NUL byte", { source: "a\0" }, "ERR_INVALID_ARG_VALUE"],
		["a source of 256 bytes", { source: Buffer.alloc(256, 1) }, "ERR_OUT_OF_RANGE"],
		["data that is a number", { data: 1 }, "ERR_INVALID_ARG_TYPE"],
		["data with a long value", { data: { key: "v".repeat(256) } }, "ERR_OUT_OF_RANGE"],
		["data with a mode in decimal", { data: { mode: 700 } }, "ERR_INVALID_ARG_VALUE"],
		["exclusive that is a number", { exclusive: 1 }, "ERR_INVALID_ARG_TYPE"],
	];
	const code = (call: () => unknown) => task.run(() => refusal(call).code);

	test.each(options)("%s", (_, wrong, expected) => {
		for (const [name, helper] of Object.entries(both)) {
			for (const target of ["/missing", null]) {
				expect([name, code(() => helper(target as never, wrong as never))]).toEqual([name, expected]);
			}
		}
		expect(code(() => Mount.create("tmpfs", wrong as never))).toBe(expected);
	});

	test.each(created)("%s", (_, wrong, expected) => {
		for (const [name, helper] of Object.entries(make)) {
			expect([name, code(() => helper(null as never, wrong as never))]).toEqual([name, expected]);
		}
		expect(code(() => Mount.create("tmpfs", wrong as never))).toBe(expected);
	});

	test.each([
		["a target that is missing", undefined, "ERR_INVALID_ARG_TYPE"],
		["a target that is a number", 5, "ERR_INVALID_ARG_TYPE"],
		["a NUL byte in the target", "/a\0", "ERR_INVALID_ARG_VALUE"],
	])("%s", (_, target, expected) => {
		for (const [name, helper] of Object.entries(both)) {
			expect([name, code(() => helper(target as never))]).toEqual([name, expected]);
		}
	});

	test("a target or a source that is closed, or of another table", () => {
		using foreign = openat2("/", { flags: ["path"] });
		const closed = openat2("/", { flags: ["path"] });
		closed.close();
		for (const [fd, expected] of [
			[closed, "ERR_NEARFAR_CLOSED"],
			[foreign, "ERR_NEARFAR_FD_TABLE_MISMATCH"],
		] as const) {
			for (const [name, helper] of Object.entries(both)) {
				expect([name, code(() => helper(fd as never))]).toEqual([name, expected]);
			}
			expect(code(() => bind(fd, "/mnt"))).toBe(expected);
			expect(code(() => bind("/usr", "/mnt", { userns: fd }))).toBe(expected);
			expect(code(() => tmpfs("/mnt", { userns: fd }))).toBe(expected);
			expect(code(() => proc("/mnt", { pidns: fd }))).toBe(expected);
		}
	});

	test("sources of bind", () => {
		expect(code(() => bind(null as never, "/mnt"))).toBe("ERR_INVALID_ARG_TYPE");
		expect(code(() => bind("/a\0", "/mnt"))).toBe("ERR_INVALID_ARG_VALUE");
		expect(code(() => bind("/usr", "/mnt", { recursive: 1 as never }))).toBe("ERR_INVALID_ARG_TYPE");
		expect(code(() => bind("/usr", "/mnt", { source: "a" } as never))).toBe("ERR_INVALID_ARG_VALUE");
	});

	test("right arguments reach the kernel", () => {
		for (const helper of Object.values(both)) expect(code(() => helper("/missing" as never))).toBe("ENOSYS");
	});
});

test("the types tell a target from null", () => {
	// The function is never called: the compiler checks it.
	const checked = () => {
		const made: Mount = tmpfs(null);
		// @ts-expect-error with null there is a mount, which the caller closes
		const nothing: undefined = tmpfs(null);
		// @ts-expect-error with a target there is no mount
		const wrong: Mount = bind("/usr", "/mnt");
		return [made, nothing, wrong];
	};
	expect(checked).toBeTypeOf("function");
});
