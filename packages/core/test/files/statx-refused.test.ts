import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { Location, openat2, statx, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const root = place.folder;
const at = (name: string) => join(root, name);
beforeAll(async () => {
	writeFileSync(at("file"), "content");
	symlinkSync("loop", at("loop"));
});

describe.each([["near"], ["far"]])("statx %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test.each([
		["a parent that is missing", "nope/file", {}, "ENOENT"],
		["nothing there", "nope", {}, "ENOENT"],
		["a file on the way", "file/x", {}, "ENOTDIR"],
		["a loop", "loop", {}, "ELOOP"],
		["a long name", "x".repeat(256), {}, "ENAMETOOLONG"],
		["a flag that statx does not know", "file", { flags: ["recursive"] }, "EINVAL"],
		["contrary flags", "file", { flags: ["statxForceSync", "statxDontSync"] }, "EINVAL"],
		["the reserved bit of the mask", "file", { mask: 0x8000_0000 }, "EINVAL"],
	] as const)("%s is refused", (_, name, options, code) => {
		run(() => {
			using folder = openat2(root, { flags: ["path"] });
			const error = expect.objectContaining({ code, syscall: "statx", path: name });
			expect(() => statx(new Location(folder, name), options)).toThrow(error);
		});
	});

	test("an empty path, and a file in a directory's place", () => {
		run(() => {
			const error = (code: string) => expect.objectContaining({ code, syscall: "statx" });
			expect(() => statx("")).toThrow(error("ENOENT"));
			using file = openat2(at("file"));
			expect(() => statx(new Location(file, "", { emptyPath: false }))).toThrow(error("ENOENT"));
			expect(() => statx(new Location(file, "x"))).toThrow(error("ENOTDIR"));
		});
	});

	test("a batch cannot wait for it", async () => {
		const target = where === "near" ? Task.near : place.task;
		await expect(target.batch(() => statx("/"))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	});
});

test("EACCES in a directory that may not be searched, ClosedError, ENOSYS", async () => {
	await using other = await Task.clone({ namespaces: ["user"], idMap: "none" });
	mkdirSync(at("closed"), { mode: 0o700 });
	execFileSync("chmod", ["000", at("closed")]);
	const search = await reason(() => other.run(() => statx(at("closed/x"))));
	expect(search).toMatchObject({ code: "EACCES", syscall: "statx", task: `${other}` });
	const file = openat2("/etc");
	const place = new Location(file, "passwd");
	file.close();
	expect(await reason(() => statx(place))).toMatchObject({ code: "ERR_NEARFAR_CLOSED" });
	forbid(other, process.arch === "x64" ? 332 : 291, 38);
	expect(await reason(() => other.run(() => statx("/")))).toMatchObject({ code: "ENOSYS", syscall: "statx" });
});
