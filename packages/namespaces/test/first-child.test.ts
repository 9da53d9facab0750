import { readFileSync } from "node:fs";
import { IdMap, type IdMaps, Task, writeIdMap } from "@nearfar/core";
import { setTimeOffsets, timeOffsets, unshare, unshareUser } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";

const maps: IdMaps = { uids: new IdMap([[0, 0, 1]]), helper: "always" };
const owner = () => Task.clone({ namespaces: ["user"], idMap: "root" });
const isProcess1 = ({ pid }: Task) => /^NSpid:(\t\d+)+\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

describe("the first child in namespaces for children", () => {
	needs("time namespaces").test("a helper does not fix the offsets of a time namespace", async () => {
		await using by = await owner();
		await using target = await by.clone({ namespaces: ["user"], idMap: "none" });
		by.run(() => unshare(["time"]));
		const path = `/proc/${target.pid}/uid_map`;
		expect(await reason(() => writeIdMap(target, maps))).toMatchObject({ code: "EINVAL", syscall: "clone", path });
		by.run(() => setTimeOffsets({ boottimeNs: 1_000_000_000n }));
		await using first = await by.clone();
		expect(first.run(timeOffsets)).toMatchObject({ boottimeNs: 1_000_000_000n });
		// With the first child the refusal ends: what fails now is the helper, or nothing.
		const error = await reason(async () => {
			await writeIdMap(target, maps);
			throw new Error("written");
		});
		expect(error).not.toMatchObject({ code: "EINVAL" });
	});

	test("a helper does not become process 1 of a pid namespace", async () => {
		await using by = await owner();
		await using target = await by.clone({ namespaces: ["user"], idMap: "none" });
		by.run(() => unshare(["pid"]));
		expect(await reason(() => writeIdMap(target, maps))).toMatchObject({ code: "EINVAL", syscall: "clone" });
		await using first = await by.clone();
		expect(isProcess1(first)).toBe(true);
		await using second = await by.clone();
		expect(second.state).toBe("live");
	});

	test("a batch under way that makes the namespace counts already", async () => {
		await using by = await owner();
		await using target = await by.clone({ namespaces: ["user"], idMap: "none" });
		const batch = by.batch(() => unshare(["pid"]));
		const writing = reason(() => writeIdMap(target, maps));
		await batch;
		expect(await writing).toMatchObject({ code: "EINVAL", syscall: "clone" });
		await using first = await by.clone();
		expect(isProcess1(first)).toBe(true);
	});

	test("a writer that writes the maps itself has no child, and is not refused", async () => {
		await using by = await owner();
		await using target = await by.clone({ namespaces: ["user"], idMap: "none" });
		by.run(() => unshare(["pid"]));
		await writeIdMap(target, { uids: new IdMap([[0, 0, 1]]) });
		expect(readFileSync(`/proc/${target.pid}/uid_map`, "utf8")).toMatch(/^\s+0\s+\d+\s+1\n$/);
	});

	needs("time namespaces").test("unshareUser does not fix the offsets of a time namespace", async () => {
		await using task = await owner();
		task.run(() => unshare(["time"]));
		expect(await reason(() => unshareUser(task))).toMatchObject({ code: "EINVAL", syscall: "unshare" });
		task.run(() => setTimeOffsets({ monotonicNs: 1_000_000_000n }));
		await using first = await task.clone();
		expect(first.run(timeOffsets)).toMatchObject({ monotonicNs: 1_000_000_000n });
		await unshareUser(task);
	});
});
