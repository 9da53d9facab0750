import { chmodSync, chownSync, truncateSync, writeFileSync } from "node:fs";
import { chmod, chown, ftruncate, mkdir, openat2 } from "@nearfar/core";
import { overlay } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { CapabilitySet, fileCapabilities } from "../src/index.ts";
import { farPlace, makeFile, nearPlace } from "./file-place.ts";

const { read, write, remove } = fileCapabilities;
const netRaw = { permitted: ["netRaw"] } as const;
const file = "/tmp/file";

describe("gvisor #13282 the kernel removes the capabilities of a file that changes", () => {
	needs("root").test.each<[string, (path: string) => void]>([
		["written", (path) => writeFileSync(path, "new", { flag: "a" })],
		["truncated", (path) => truncateSync(path)],
		["given to another user", (path) => chownSync(path, 1, -1)],
		["given to another group", (path) => chownSync(path, -1, 1)],
	])("near, when it is %s", async (_, change) => {
		await using place = nearPlace();
		writeFileSync(place.at("file"), "old");
		write(place.at("file"), netRaw);
		chmodSync(place.at("file"), 0o700);
		expect(read(place.at("file"))).toBeDefined();
		change(place.at("file"));
		expect(read(place.at("file"))).toBeUndefined();
		expect(remove(place.at("file"))).toBe(false);
	});

	const changes: [string, () => void][] = [
		["written", () => void useFile((open) => open.write(Buffer.from("new")))],
		["truncated", () => useFile((open) => ftruncate(open, 100))],
		["given to another user", () => chown(file, 0, undefined)],
	];

	test.each(changes)("in a task, when it is %s", async (_, change) => {
		await using place = await farPlace();
		place.run(() => {
			write(file, netRaw);
			chmod(file, 0o700);
			expect(read(file)).toBeDefined();
			change();
			expect(read(file)).toBeUndefined();
		});
	});

	needs("the file system overlay", "Linux 6.6").test.each(changes)(
		"on an overlay, whose copy of a lower file loses them when it is %s, and keeps them when its mode changes",
		async (_, change) => {
			await using place = await farPlace();
			place.run(() => {
				for (const name of ["lower", "upper", "work"]) mkdir(`/tmp/${name}`);
				makeFile("/tmp/lower/file");
				write("/tmp/lower/file", netRaw);
				overlay("/tmp", { lower: ["/tmp/lower"], upper: "/tmp/upper", work: "/tmp/work" });
				expect(read(file)).toMatchObject({ permitted: CapabilitySet.from(["netRaw"]) });
				chmod(file, 0o700);
				expect(read(file)).toMatchObject({ permitted: CapabilitySet.from(["netRaw"]) });
				change();
				expect(read(file)).toBeUndefined();
				write(file, { permitted: ["kill"] });
				expect([`${read(file)?.permitted}`, remove(file), remove(file)]).toEqual(["kill", true, false]);
			});
		},
	);

	needs("the file system overlay", "Linux 6.6").test(
		"on an overlay, capabilities are written to the copy alone",
		async () => {
			await using place = await farPlace();
			place.run(() => {
				for (const name of ["lower", "upper", "work"]) mkdir(`/tmp/${name}`);
				makeFile("/tmp/lower/file");
				using lower = openat2("/tmp/lower/file");
				overlay("/tmp", { lower: ["/tmp/lower"], upper: "/tmp/upper", work: "/tmp/work" });
				write(file, netRaw);
				expect([read(lower), read(file)?.version]).toEqual([undefined, 2]);
			});
		},
	);

	/** Opens the file for writing, and closes it again. */
	function useFile(fn: (open: ReturnType<typeof openat2>) => void): void {
		using open = openat2(file, { flags: ["wronly"] });
		fn(open);
	}
});
