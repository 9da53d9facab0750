import { expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { reason } from "../../../../test/reason.ts";
import { IdMap, type IdMaps, type SyscallError, Task, writeIdMap } from "../../src/index.ts";
import { native } from "../../src/internal.ts";

/** Returns the hint of a refused map. */
async function hintOf(code: string, task: Task, maps: IdMaps): Promise<string> {
	const error = (await reason(() => writeIdMap(task, { helper: "never", ...maps }))) as SyscallError;
	expect(error).toMatchObject({ code, syscall: "write" });
	return error.hint ?? "";
}

/** Clones a task without privileges. */
async function ordinary(): Promise<Task> {
	const task = await Task.clone();
	becomeOrdinary(task);
	return task;
}

const SETFCAP = 1n << 31n;
const unmapped = { namespaces: ["user"], idMap: "none" } as const;
const own = (id: number | undefined) => (id === 0 ? 1000 : (id ?? 0));
const [uid, gid] = [own(process.geteuid?.()), own(process.getegid?.())];

needs("/proc").test("EPERM of a second map says that the first one is written", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	expect(await hintOf("EPERM", task, { uids: new IdMap([[0, process.geteuid?.() ?? 0, 1]]) })).toContain("already");
});

needs("/proc").test("EPERM of another user's id names both ids, and the helper", async () => {
	await using by = await ordinary();
	await using task = await by.clone(unmapped);
	const hint = await hintOf("EPERM", task, { uids: new IdMap([[0, 4242, 1]]) });
	for (const word of ["4242", `${uid}`, "CAP_SETUID", "newuidmap"]) expect(hint).toContain(word);
});

needs("/proc").test("unshare.rs #27 EPERM of a group map says to deny setgroups", async () => {
	await using by = await ordinary();
	await using task = await by.clone(unmapped);
	const hint = await hintOf("EPERM", task, { gids: new IdMap([[0, gid, 1]]), setgroups: "allow" });
	for (const word of ["setgroups", "CAP_SETGID"]) expect(hint).toContain(word);
});

needs("/proc").test(
	"EPERM of an id that the writer's user namespace lacks names the id and the lines that there are",
	async () => {
		await using by = await Task.clone({ namespaces: ["user"], idMap: "root" });
		await using task = await by.clone(unmapped);
		expect(await hintOf("EPERM", task, { uids: new IdMap([[0, 5, 1]]) })).toContain("5");
	},
);

needs("/proc").test("EINVAL of a long map names the number of bytes", async () => {
	await using task = await Task.clone(unmapped);
	const lines = Array.from({ length: 300 }, (_, i) => [1_000_000_000 + 2 * i, 2_000_000_000 + 3 * i, 1] as const);
	const map = new IdMap(lines);
	const hint = await hintOf("EINVAL", task, { uids: map });
	for (const word of [`${`${map}`.length}`, "4095"]) expect(hint).toContain(word);
});

needs("/proc", "root").test("shadow #334 EPERM of a map with the id 0 names CAP_SETFCAP", async () => {
	await using by = await Task.clone();
	by.run(() => {
		const [effective = 0n, permitted = 0n] = native().capget(0);
		native().capset(0, [effective & ~SETFCAP, permitted & ~SETFCAP, 0n]);
	});
	await using task = await by.clone(unmapped);
	expect(await hintOf("EPERM", task, { uids: new IdMap([[0, 0, 1]]) })).toContain("CAP_SETFCAP");
});
