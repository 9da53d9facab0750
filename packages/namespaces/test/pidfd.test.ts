import { type NamespaceKind, Task } from "@nearfar/core";
import { setns } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { has } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { capable, namespaceOf } from "./tasks.ts";

const CLONE_VM = 0x100;
const all = 2 ** 32 - 1;
const syscall = "setns";

test("PFD-21 with a pidfd the kinds have to be namespaces, and at least one", async () => {
	await using task = await Task.clone(capable);
	using pidfd = task.put(task.process.fd);
	for (const kinds of [undefined, [], 0, all, CLONE_VM]) {
		expect(task.run(() => refusal(() => setns(pidfd, kinds)))).toMatchObject({ code: "EINVAL", syscall });
	}
});

test("PFD-22 a pidfd of a process that has ended is ESRCH", async () => {
	await using task = await Task.clone(capable);
	await using other = await Task.clone();
	using pidfd = task.put(other.process.fd);
	await other.exit();
	expect(task.run(() => refusal(() => setns(pidfd, ["uts"])))).toMatchObject({ code: "ESRCH", syscall });
	other.process.fd.close();
});

test("PFD-23 several namespaces of a process in one call; the own pid namespace stays", async () => {
	const kinds: NamespaceKind[] = ["mnt", "uts", "ipc", "net", "pid"];
	const [entered, namespaces] = has("root")
		? [kinds, kinds]
		: [["user", ...kinds] as const, ["user", ...kinds] as const];
	await using home = await Task.clone({ namespaces, ...(!has("root") && { idMap: "root" }) });
	await using guest = await Task.clone();
	const before = namespaceOf(guest, "pid");
	using pidfd = guest.put(home.process.fd);
	guest.run(() => setns(pidfd, entered));
	for (const kind of ["mnt", "uts", "ipc", "net", "pid_for_children"]) {
		expect(namespaceOf(guest, kind)).toBe(namespaceOf(home, kind));
	}
	expect(namespaceOf(guest, "pid")).toBe(before);
	expect(namespaceOf(guest, "pid_for_children")).not.toBe(before);
	for (const kind of kinds) expect(String(guest)).toContain(kind);
});

test("with several kinds all are entered, or none", async () => {
	await using home = await Task.clone({ namespaces: ["user", "uts"] });
	await using guest = await Task.clone({ namespaces: ["user"] });
	using pidfd = guest.put(home.process.fd);
	const before = namespaceOf(guest, "uts");
	// A task may not enter the user namespace of a sibling.
	const refused = guest.run(() => refusal(() => setns(pidfd, ["user", "uts"])));
	expect(refused).toMatchObject({ code: "EPERM", syscall });
	expect(namespaceOf(guest, "uts")).toBe(before);
	expect(String(guest)).not.toContain("uts");
});
