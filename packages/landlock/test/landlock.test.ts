// Levels, presets, what may be dropped, and the checks before any call.
import { mkdirSync, writeFileSync } from "node:fs";
import { Location, openat2, Task } from "@nearfar/core";
import { landlockFsRights } from "@nearfar/core/internal";
import { run } from "@nearfar/process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import {
	type LandlockFsRight,
	type LandlockOptions,
	type LandlockPath,
	type LandlockRules,
	LandlockUnavailableError,
	landlock,
	landlockAbi,
	landlockErrata,
	planLandlock,
} from "../src/index.ts";
import { namesOf } from "../src/names.ts";
import { presets } from "../src/presets.ts";
import { attempt, cloneIn, Folder, inside, make, path } from "./domain.ts";

const abi = landlockAbi();
const any = { drop: "any" } as const;

test("the level is the lowest version that has everything named, at least 3 with paths and 4 with ports", () => {
	const level = (rules: LandlockRules, options = {}) => planLandlock(rules, { ...any, ...options }).level;
	const allow = (...names: LandlockPath["allow"]) => ({ paths: [{ at: "/", allow: names }] });
	expect(level({ paths: [] })).toBe(3);
	expect(level(allow("all", "device", "write"))).toBe(3); // presets are cut to the level
	expect(level(allow("ioctlDev"))).toBe(5);
	expect(level(allow("resolveUnix"))).toBe(9);
	expect(level({ ports: [] })).toBe(4);
	expect(level({ ports: [{ port: 1, allow: ["bindUdp"] }] })).toBe(10);
	expect(level({ scope: ["signal"] })).toBe(6);
	expect(level({ paths: [], ports: [] })).toBe(4);
	expect(level({ paths: [] }, { require: 1 })).toBe(1);
	expect(level({ paths: [], scope: ["signal"] }, { require: 11 })).toBe(11);
});

test("inherited options count", () => {
	const inherited = Object.create({ require: 5, drop: "any" });
	expect(planLandlock(Object.create({ paths: [] }), inherited).level).toBe(5);
});

test("a kernel never refuses more than the level says", () => {
	const plan = (rules: LandlockRules, require?: number) => planLandlock(rules, { ...any, ...(require && { require }) });
	for (let level = 1; level <= Math.min(abi, 11); level++) {
		const { fs, dropped } = plan({ paths: [] }, level);
		const most = level >= 9 ? 17 : level >= 5 ? 16 : level >= 3 ? 15 : level >= 2 ? 14 : 13;
		expect({ level, count: fs.length, dropped }).toEqual({ level, count: most, dropped: [] });
	}
	if (abi >= 4) expect(plan({ ports: [] }).net).toEqual(["bindTcp", "connectTcp"]);
	if (abi >= 10) expect(plan({ ports: [] }, 10).net).toHaveLength(4);
	expect(plan({ ports: [] })).toMatchObject({ fs: [], scope: [], abi, errata: landlockErrata() });
});

test("LL-02 what the kernel lacks is an error before any call, unless drop names it", () => {
	const rules: LandlockRules = {
		paths: [{ at: "/", allow: ["truncate", "ioctlDev", "resolveUnix"] }],
		ports: [{ port: 1, allow: ["bindUdp"] }],
		scope: ["signal"],
	};
	const since = {
		truncate: 3,
		ioctlDev: 5,
		resolveUnix: 9,
		bindTcp: 4,
		connectTcp: 4,
		bindUdp: 10,
		connectSendUdp: 10,
	};
	const all = { refer: 2, ...since, signal: 6 };
	const lacking = Object.entries(all).flatMap(([name, version]) => (version > abi ? [name] : []));
	const { dropped, level } = planLandlock(rules, any);
	expect({ dropped: new Set(dropped).size, level }).toEqual({
		dropped: abi ? lacking.length : 13 + lacking.length,
		level: 10,
	});
	if (lacking.length === 0) return expect(planLandlock(rules).dropped).toEqual([]);
	const error = refusal(() => planLandlock(rules)) as LandlockUnavailableError;
	expect(error).toBeInstanceOf(LandlockUnavailableError);
	expect(error).toMatchObject({ code: "ERR_NEARFAR_LANDLOCK_UNAVAILABLE", abi, missing: dropped });
	expect(error.hint).toContain("drop");
	if (abi > 0) expect(planLandlock(rules, { drop: dropped as LandlockFsRight[] }).dropped).toEqual(dropped);
	const [first, ...others] = dropped;
	const some = refusal(() => planLandlock(rules, { drop: others as LandlockFsRight[] }));
	expect(some).toMatchObject({ missing: [first] });
});

needs("Landlock").test("a kernel that lacks a right makes no call: the task stays free", async () => {
	await using task = await Task.clone();
	const error = refusal(() => task.run(() => landlock({ paths: [] }, { require: 11, flags: ["noNewPrivs"] })));
	if (abi >= 11) return expect(error).toEqual({});
	expect(error).toMatchObject({ missing: expect.arrayContaining(["noNewPrivs"]) });
	expect(inside(task, () => openat2("/").close())).toBe("ok");
	await task.exec("grep", ["grep", "-q", "NoNewPrivs:.*0", "/proc/self/status"]).check();
});

test("presets are what the README says", () => {
	const names = (preset: keyof typeof presets) => namesOf(landlockFsRights, presets[preset]);
	expect(names("read")).toEqual(["readFile", "readDir"]);
	expect(names("run")).toEqual(["execute", "readFile", "readDir"]);
	expect(names("device")).toEqual(["writeFile", "readFile", "truncate", "ioctlDev"]);
	expect(names("all")).toEqual(Object.keys(landlockFsRights));
	const without = ["execute", "makeChar", "makeBlock", "ioctlDev", "resolveUnix"];
	expect(names("write")).toEqual(Object.keys(landlockFsRights).filter((name) => !without.includes(name))); // LL-01
});

test("the checks come before any call", async () => {
	const code = (rules: unknown, options?: LandlockOptions) => refusal(() => planLandlock(rules as never, options)).code;
	const rule = (more: object) => ({ paths: [{ at: "/", allow: ["read"], ...more }] });
	expect(code(undefined)).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({})).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ scope: [] })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ files: [] })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ paths: "/" })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ paths: [undefined] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(rule({ at: 3 }))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(rule({ at: "/a\0b" }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(rule({ allow: [] }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(rule({ allow: ["reed"] }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(rule({ allow: 3n }))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(rule({ kind: "fifo" }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(rule({ kind: "file", allow: ["readDir"] }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(rule({ optional: 1 }))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ ports: [{ port: 65_536, allow: ["bindTcp"] }] })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ ports: [{ port: 1, allow: [] }] })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ ports: [] }, { require: 12 })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ ports: [] }, { require: 0 })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ paths: [{ at: "/", allow: ["truncate"] }] }, { require: 2 })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ scope: ["signal"] }, { require: 5 })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ paths: [] }, { drop: ["everything"] } as never)).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ paths: [] }, { flags: ["tsync"] } as never)).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ paths: [] }, { process: true })).toBe("ERR_INVALID_ARG_VALUE"); // planLandlock has no such option
	expect(refusal(() => planLandlock({ paths: [{ at: "/", allow: [] }] }, { name: "mine" })).message).toContain(
		"mine.paths[0].allow",
	);
});

test.each([null, false, 0, ""])("%j is no absent list: it would refuse nothing", (value) => {
	const code = (rules: object, options?: object) => refusal(() => planLandlock(rules, { ...any, ...options })).code;
	expect(code({ paths: value, scope: ["signal"] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ ports: value, paths: [] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ scope: value, paths: [] })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ paths: [] }, { drop: value })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ paths: [] }, { flags: value })).toBe("ERR_INVALID_ARG_TYPE");
});

needs("Landlock").describe("rules for paths", () => {
	function withFile(): Folder {
		const folder = new Folder();
		mkdirSync(folder.at("d"));
		writeFileSync(folder.at("file"), "");
		return folder;
	}

	test("rights for directories on a file: left out of a preset, a TypeError by name (LL-07)", async () => {
		using folder = withFile();
		await using task = await cloneIn({ paths: [{ at: folder.at("file"), allow: ["write", "all"] }] });
		expect(inside(task, () => openat2(folder.at("file"), { flags: ["rdwr"] }).close())).toBe("ok");
		await using other = await Task.clone();
		const rules: LandlockRules = { paths: [{ at: folder.at("file"), allow: ["read", "makeDir"] }] };
		const error = refusal(() => other.run(() => landlock(rules, any)));
		expect(error).toBeInstanceOf(TypeError);
		expect(error.message).toContain("rules.paths[0].allow");
		expect(inside(other, () => openat2("/").close())).toBe("ok"); // nothing was restricted
	});

	test("optional leaves out what does not exist, and nothing else", async () => {
		using folder = withFile();
		const at = (...names: string[]) => ({ at: folder.at(...names), allow: ["read"], optional: true }) as const;
		await using task = await Task.clone();
		task.run(() => landlock({ paths: [at("nope"), at("nope", "deeper"), at("d")] }, any));
		expect(inside(task, () => openat2(folder.at("d")).close())).toBe("ok");
		expect(inside(task, () => landlock({ paths: [at("file", "x")] }, any))).toBe("ENOTDIR");
		const missing = refusal(() =>
			task.run(() => landlock({ paths: [{ at: folder.at("nope"), allow: ["read"] }] }, any)),
		);
		expect(missing).toMatchObject({ code: "ENOENT", path: folder.at("nope") });
	});

	test("an error has the path of the rule, in whatever form it was given", async () => {
		await using task = await Task.clone();
		const path = "/proc/self/ns/mnt";
		for (const at of [path, new URL(`file://${path}`), Buffer.from(path), new TextEncoder().encode(path) as Buffer]) {
			const rules: LandlockRules = { paths: [{ at, allow: ["read"] }] };
			expect(refusal(() => task.run(() => landlock(rules, any)))).toMatchObject({ code: "EBADFD", path });
		}
	});

	test("kind directory refuses another file, kind file gives a directory the rights of its files", async () => {
		using folder = withFile();
		await using task = await Task.clone();
		const rule = (name: string, kind: "file" | "directory"): LandlockRules => ({
			paths: [{ at: folder.at(name), allow: ["write"], kind }],
		});
		expect(inside(task, () => landlock(rule("file", "directory"), any))).toBe("ENOTDIR");
		task.run(() => landlock({ paths: [{ at: folder.path, allow: ["read"], kind: "file" }] }, any));
		expect(inside(task, () => openat2(folder.at("file")).close())).toBe("ok");
		expect(inside(task, () => openat2(folder.path).close())).toBe("EACCES");
	});

	test("places are paths, buffers, URLs, descriptors and locations of the task", async () => {
		using folder = withFile();
		await using task = await Task.clone();
		using near = openat2(folder.path, { flags: ["path"] });
		const directory = task.put(near);
		const allow = ["read"] as const;
		expect(inside(task, () => landlock({ paths: [{ at: near, allow }] }, any))).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
		for (const at of [
			directory,
			new Location(directory, "d"),
			new Location(directory),
			Buffer.from(folder.path),
			new URL(`file://${folder.path}`),
		]) {
			await using other = await Task.clone();
			const own = at === directory || at instanceof Location;
			const here = own ? task : other;
			expect(inside(here, () => landlock({ paths: [{ at, allow }] }, any))).toBe("ok");
			expect(inside(here, () => openat2(folder.at("d")).close())).toBe("ok");
			expect(inside(here, () => openat2("/").close())).toBe("EACCES");
		}
		expect(directory.closed).toBe(false); // the caller's descriptor stays open
	});
});

needs("Landlock").describe("in a batch", () => {
	test("a path needs a kind, and cannot be optional", async () => {
		await using task = await Task.clone();
		const batch = (rule: object) =>
			task.batch(() => void landlock({ paths: [{ at: "/usr", allow: ["run"], ...rule }] }, any));
		await expect(batch({})).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		await expect(batch({ kind: "directory", optional: true })).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		await batch({ kind: "directory" });
		expect(inside(task, () => openat2("/").close())).toBe("EACCES");
		expect(inside(task, () => openat2("/usr").close())).toBe("ok");
	});

	test("what holds is known before the batch has run, and a failure restricts nothing", async () => {
		using folder = new Folder();
		await using task = await Task.clone();
		const levels: number[] = [];
		const failing = task.batch(() => {
			const rules: LandlockRules = { paths: [{ at: folder.at("nope"), allow: ["run"], kind: "directory" }] };
			levels.push(landlock(rules, any).level);
		});
		await expect(failing).rejects.toMatchObject({ code: "ENOENT" });
		expect(levels).toEqual([3]);
		expect(inside(task, () => openat2("/").close())).toBe("ok");
	});

	test("1000 rules leave no descriptor behind", async () => {
		await using task = await Task.clone();
		const next = () => make(task, "memfd_create", path("x"), 0);
		const before = next();
		const rule: LandlockPath = { at: "/usr", allow: ["run"], kind: "directory" };
		await task.batch(() => void landlock({ paths: Array.from({ length: 1000 }, () => rule) }, any));
		expect(next()).toBe(before + 1);
	});
});

test("everything dropped is no call at all", async () => {
	if (abi >= 9) return;
	await using task = await Task.clone();
	const enforced = task.run(() => landlock({ ports: [{ port: 1, allow: ["bindUdp"] }] }, any));
	if (abi >= 4) return expect(enforced.net).toEqual(["bindTcp", "connectTcp"]);
	expect(enforced).toMatchObject({ fs: [], net: [], scope: [] });
	expect(attempt(task, "mount", 0, 0, 0, 0, 0)).not.toBe("ok");
	expect(inside(task, () => openat2("/").close())).toBe("ok");
});

needs("ABI 3 of Landlock").test("a program reads the system, and writes one folder", async () => {
	using folder = new Folder();
	const paths: LandlockPath[] = [
		{ at: "/usr", allow: ["run"], kind: "directory" },
		{ at: folder.path, allow: ["write"], kind: "directory" },
	];
	const script = "mkdir a b && echo x > a/f && mv a/f b/f && ln b/f a/g && ! ls / 2>/dev/null && cat a/g";
	const { stdout, landlock } = (await run("sh", ["-c", script], { cwd: folder.path, landlock: { paths } })).check();
	expect({ stdout, level: landlock?.level }).toEqual({ stdout: "x\n", level: 3 });
});
