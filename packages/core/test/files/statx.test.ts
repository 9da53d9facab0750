import { execFileSync } from "node:child_process";
import {
	linkSync,
	lstatSync,
	mkdirSync,
	readFileSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { Location, openat2, type StatxField, statx } from "../../src/index.ts";
import { statxMask } from "../../src/internal.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const root = place.folder;
const at = (name: string) => join(root, name);
beforeAll(async () => {
	writeFileSync(at("file"), "content");
	truncateSync(at("file"), 5000);
	linkSync(at("file"), at("again"));
	utimesSync(at("file"), new Date(-1500), new Date(2_000_000_000_250));
	mkdirSync(at("folder"));
	symlinkSync("file", at("link"));
	execFileSync("mkfifo", [at("fifo")]);
});

/** Returns the ids and places of the mounts, as the kernel lists them. */
function mountsOf(pid: number): Map<string, number> {
	const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trimEnd().split("\n");
	return new Map(lines.map((line) => [line.split(" ")[4] ?? "", Number(line.split(" ")[0])]));
}

describe.each([["near"], ["far"]])("statx %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test.each(["file", "folder", "link", "fifo"])("says of a %s what stat(2) says", (name) => {
		const found = run(() => statx(at(name), { flags: ["symlinkNofollow"] }));
		const known = lstatSync(at(name), { bigint: true });
		const { ino, size, blocks, atimeNs, mtimeNs, ctimeNs } = known;
		expect(found).toMatchObject({ ino, size, blocks, atimeNs, mtimeNs, ctimeNs });
		const numbers = { nlink: known.nlink, uid: known.uid, gid: known.gid, blksize: known.blksize };
		for (const [field, value] of Object.entries(numbers)) expect(found).toHaveProperty(field, Number(value));
		expect(found.mode).toBe(Number(known.mode) & 0o7777);
		expect(found.type).toBe({ file: "file", folder: "directory", link: "symlink", fifo: "fifo" }[name]);
		const { major, minor } = found.dev;
		expect(BigInt(major * 256 + minor)).toBe(known.dev);
		expect(found.rdev).toBeUndefined();
	});

	test("times before 1970 and after 2038, and when it was made", () => {
		const { atimeNs, mtimeNs, btimeNs } = run(() => statx(at("file")));
		expect([atimeNs, mtimeNs]).toEqual([-1_500_000_000n, 2_000_000_000_250_000_000n]);
		const { birthtimeNs } = statSync(at("file"), { bigint: true });
		if (btimeNs !== undefined) expect(btimeNs).toBe(birthtimeNs);
	});

	test("devices have their own numbers, and a socket is one", async () => {
		expect(run(() => statx("/dev/null"))).toMatchObject({ type: "character", rdev: { major: 1, minor: 3 } });
		const server = createServer();
		const path = at(`socket-${where}`);
		await new Promise<void>((resolve) => server.listen(path, resolve));
		expect(run(() => statx(path))).toMatchObject({ type: "socket", rdev: undefined });
		await new Promise((resolve) => server.close(resolve));
	});

	test("a mount has its id, another one that is never used again, and a root", () => {
		const [proc, below, tmp] = run(() => [statx(ownProc), statx(`${ownProc}/self/status`), statx(root)] as const);
		const mounts = mountsOf(where === "near" ? process.pid : place.task.pid);
		expect([proc.mountId, proc.attributes.mountRoot]).toEqual([mounts.get(ownProc), true]);
		expect([below.mountId, below.mountIdUnique, below.attributes.mountRoot]).toEqual([
			proc.mountId,
			proc.mountIdUnique,
			false,
		]);
		expect(proc.mountIdUnique).toBeTypeOf("bigint");
		expect(proc.mountIdUnique).not.toBe(tmp.mountIdUnique);
	});

	test("an attribute is true or false where the file system knows it, else undefined", () => {
		const { attributes } = run(() => statx(`${ownProc}/self`));
		expect(attributes).toMatchObject({ mountRoot: false, compressed: undefined, immutable: undefined });
		const names = ["append", "automount", "compressed", "dax", "encrypted", "immutable"];
		expect(Object.keys(attributes).sort()).toEqual([...names, "mountRoot", "nodump", "verity", "writeAtomic"]);
	});

	test("what was not asked for, or is not there, is undefined and never 0", () => {
		const unfilled = run(() => statx(ownProc));
		expect(unfilled).toMatchObject({ btimeNs: undefined, subvol: undefined, dioMemAlign: undefined });
		const fields = ["btime", "dioalign", "subvol", "writeAtomic", "dioReadAlign"] as const;
		for (const field of fields) expect(unfilled.mask & statxMask[field], field).toBe(0);
		const only = (...mask: StatxField[]) => run(() => statx(root, { mask }));
		expect(only("mntId")).toMatchObject({ mountId: expect.any(Number), mountIdUnique: undefined });
		expect(only("mntIdUnique")).toMatchObject({ mountId: undefined, mountIdUnique: expect.any(BigInt) });
		expect(only()).toMatchObject({ mountId: expect.any(Number) }); // the kernel fills the field unasked
	});

	test("takes an open file of any kind, and a Location with its options", () => {
		run(() => {
			using folder = openat2(root, { flags: ["path"] });
			using file = openat2(at("file"));
			using link = openat2(at("link"), { flags: ["path", "nofollow"] });
			expect([statx(folder).type, statx(file).size, statx(link).type]).toEqual(["directory", 5000n, "symlink"]);
			expect(statx(new Location(folder)).ino).toBe(statx(root).ino);
			expect(statx(new Location(folder, "link")).type).toBe("file");
			const place = new Location(folder, "link", { symlinks: false, automount: false });
			expect(statx(place).type).toBe("symlink");
			expect(statx(new Location(undefined)).ino).toBe(statx(".").ino);
			const flags = ["statxForceSync", "noAutomount"] as const;
			expect(statx(file, { flags }).ino).toBe(statx(at("again"), { flags: ["statxDontSync"] }).ino);
		});
	});
});
