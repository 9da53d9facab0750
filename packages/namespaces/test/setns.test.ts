import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dropCapabilities } from "@nearfar/caps";
import { type NamespaceKind, openat2, Task } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";
import { mount } from "@nearfar/mount";
import { namespaceKinds, sethostname, setns, unshare } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { arm64, capable, hostnameIn, namespaceOf, put } from "./tasks.ts";

const SYS_memfd_create = arm64 ? 279 : 319;
const all = 2 ** 32 - 1;
const syscall = "setns";

test("NST-07 what setns refuses", async () => {
	await using task = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
	using uts = put(task, `/proc/${task.pid}/ns/uts`);
	task.run(() => {
		neverOpen((fd) => expect(refusal(() => setns(fd))).toMatchObject({ code: "EBADF", syscall }));
		using file = openat2("/etc/passwd");
		expect(refusal(() => setns(file))).toMatchObject({ code: "EINVAL", syscall });
		expect(refusal(() => setns(uts, ["net"]))).toMatchObject({ code: "EINVAL", syscall });
		expect(refusal(() => setns(uts, all))).toMatchObject({ code: "EINVAL", syscall });
		setns(uts, ["uts"]);
		dropCapabilities();
		expect(refusal(() => setns(uts))).toMatchObject({ code: "EPERM", syscall, task: String(task) });
	});
});

test("NST-09 one's own user namespace again is EINVAL", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	using own = put(task, `/proc/${task.pid}/ns/user`);
	expect(task.run(() => refusal(() => setns(own)))).toMatchObject({ code: "EINVAL", syscall });
});

test("PFD-25 a memfd is no namespace", async () => {
	await using task = await Task.clone(capable);
	task.run(() => {
		const number = task.syscall(SYS_memfd_create, Buffer.from("name\0"), 1);
		using memfd = adoptDescriptor(Number(number));
		expect(refusal(() => setns(memfd))).toMatchObject({ code: "EINVAL", syscall });
	});
});

test("NST-42 a namespace bound on a file outlives its processes", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-"));
	try {
		const place = join(folder, "uts");
		writeFileSync(place, "");
		await using home = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		home.run(() => mount(null, "/", null, { flags: ["rec", "private"] }));
		const first = await home.clone({ namespaces: ["uts"] });
		first.run(() => {
			sethostname("kept");
			mount("/proc/self/ns/uts", place, null, { flags: ["bind"] });
		});
		await first.exit();
		home.run(() => {
			using uts = openat2(place);
			setns(uts, ["uts"]);
		});
		expect(hostnameIn(home)).toBe("kept");
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("NST-46 namespaces of the host that were left open are of no use", async () => {
	await using task = await Task.clone({ namespaces: ["user", "net", "uts", "mnt"], idMap: "root" });
	for (const kind of ["net", "uts", "mnt"]) {
		using host = put(task, `/proc/self/ns/${kind}`);
		expect(task.run(() => refusal(() => setns(host)))).toMatchObject({ code: "EPERM", syscall });
	}
});

describe("a namespace by its file", () => {
	for (const kind of Object.keys(namespaceKinds) as NamespaceKind[]) {
		needs(`${kind} namespaces`).test(`${kind}, without saying which kind`, async () => {
			await using home = await Task.clone({ namespaces: ["user"], idMap: "root" });
			if (kind !== "user") home.run(() => unshare([kind]));
			const name = namespaceKinds[kind].forChildren ?? namespaceKinds[kind].proc;
			// The kernel makes the namespaces for children with the first child. A task can enter them from then on.
			await using child = await home.clone();
			await using guest = await Task.clone();
			using user = put(guest, `/proc/${home.pid}/ns/user`);
			using fd = kind === "user" ? undefined : put(guest, `/proc/${child.pid}/ns/${namespaceKinds[kind].proc}`);
			guest.run(() => {
				setns(user);
				if (fd) setns(fd);
			});
			expect(namespaceOf(guest, name)).toBe(namespaceOf(child, name));
			expect(String(guest)).toContain(kind);
			expect(String(guest)).toContain("user");
		});
	}
});

test("setns near is refused: it would move one thread", () => {
	using own = openat2("/proc/self/ns/uts");
	expect(refusal(() => setns(own)).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(refusal(() => setns(own, ["uts"])).code).toBe("ERR_NEARFAR_MULTITHREADED");
});

test("wrong arguments reach no kernel", async () => {
	await using task = await Task.clone();
	using own = openat2("/proc/self/ns/uts");
	task.run(() => {
		expect(refusal(() => setns(own)).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
		expect(refusal(() => setns(3 as never)).code).toBe("ERR_INVALID_ARG_TYPE");
		expect(refusal(() => setns(own, ["newuts" as never])).code).toBe("ERR_INVALID_ARG_VALUE");
		expect(refusal(() => setns(own, 2 ** 32)).code).toBe("ERR_OUT_OF_RANGE");
	});
});
