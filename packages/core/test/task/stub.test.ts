import { readdirSync, readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { FileDescriptor, openat2, Task } from "../../src/index.ts";

const [ftruncate, fcntl] = process.arch === "x64" ? [77, 72] : [46, 25];
const F_ADD_SEALS = 1033;

function target(fd: string): string {
	try {
		return readlinkSync(`/proc/self/fd/${fd}`);
	} catch {
		return ""; // the descriptor of the folder that is read here
	}
}

test("FDX-06 the stub's memfd is sealed, and what runs from it cannot be opened for writing", async () => {
	await using task = await Task.clone();
	expect(readlinkSync(`/proc/${task.pid}/exe`)).toBe("/memfd:nearfar (deleted)");
	const numbers = readdirSync("/proc/self/fd").filter((fd) => target(fd) === "/memfd:nearfar (deleted)");
	expect(numbers.length).toBeGreaterThan(0);
	for (const number of numbers) {
		const memfd = FileDescriptor.borrow(Number(number));
		expect(`${memfd.read(4, { position: 0 })}`).toBe("\x7fELF");
		expect(await reason(() => memfd.write("x", { position: 0 }))).toMatchObject({ code: "EPERM", syscall: "pwrite64" });
		expect(await reason(() => Task.near.syscall(ftruncate, memfd, 0))).toMatchObject({ code: "EPERM" });
		expect(await reason(() => Task.near.syscall(fcntl, memfd, F_ADD_SEALS, 0))).toMatchObject({ code: "EPERM" });
	}
	const open = () => openat2(`${ownProc}/self/exe`, { flags: ["wronly"] });
	expect(await reason(() => task.run(open))).toMatchObject({ code: "ETXTBSY", syscall: "openat2" });
	const fromOutside = () => openat2(`${ownProc}/${task.pid}/exe`, { flags: ["wronly"] });
	expect(await reason(fromOutside)).toMatchObject({ code: "ETXTBSY", syscall: "openat2" });
});
