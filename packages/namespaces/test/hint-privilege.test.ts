import { dropCapabilities } from "@nearfar/caps";
import { chroot, type SyscallError, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { loopbackUp, Namespace, sethostname } from "@nearfar/namespaces";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { hintOf } from "./hint-of.ts";
import { own, powerless } from "./tasks.ts";

needs("/proc").test("EPERM of a host name says that the UTS namespace is not the task's own", async () => {
	await using task = await own();
	expect(await hintOf("EPERM", "sethostname", () => task.run(() => sethostname("inside")))).toContain('"uts"');
	expect(await hintOf("EPERM", "sethostname", () => task.batch(() => sethostname("inside")))).toContain('"uts"');
});

needs("/proc", "uts namespaces").test("EPERM of a host name says that the task has lost the capability", async () => {
	await using task = await own("uts");
	task.run(() => dropCapabilities());
	const hint = await hintOf("EPERM", "sethostname", () => task.run(() => sethostname("inside")));
	for (const word of ["CAP_SYS_ADMIN", "CapEff"]) expect(hint).toContain(word);
});

needs("/proc", "net namespaces").test("EPERM of a loopback device names CAP_NET_ADMIN", async () => {
	await using task = await own("net");
	task.run(() => dropCapabilities());
	expect(await hintOf("EPERM", "ioctl", () => task.run(() => loopbackUp()))).toContain("CAP_NET_ADMIN");
});

needs("/proc", "Linux 6.12").test("EPERM of the next mount namespace names the administrator", async () => {
	await using task = await powerless();
	task.run(() => {
		using mounts = Namespace.current("mnt");
		const says = { hint: expect.stringContaining("administrator") };
		expect(refusal(() => mounts.next())).toMatchObject(says);
		expect(refusal(() => mounts.previous())).toMatchObject(says);
	});
});

needs("/proc", "an ordinary user").test("EPERM of a thread names the task to use in its place", async () => {
	const error = (await reason(() => Task.thread({ namespaces: ["net"] }))) as SyscallError;
	expect(error).toMatchObject({ code: "EPERM", syscall: "unshare" });
	for (const word of ["CAP_SYS_ADMIN", '["user", "net"]', "task.get"]) expect(error.hint).toContain(word);
});

test("EPERM of a call that has nothing to do with namespaces has no hint", async () => {
	await using task = await powerless();
	const error = await reason(() => task.run(() => Task.near.process.kill(0)));
	if (error !== undefined) expect(error).not.toHaveProperty("hint");
});

needs("/proc", "an ordinary user").test(
	"EPERM in a thread names the capability of the call and the namespaces of the task to use",
	async () => {
		await using thread = await Task.thread();
		const hint = (syscall: string, call: () => unknown) => hintOf("EPERM", syscall, () => thread.run(call));
		for (const word of ["CAP_SYS_CHROOT", '["user"]']) expect(await hint("chroot", () => chroot("/"))).toContain(word);
		const names = await hint("sethostname", () => sethostname("inside"));
		for (const word of ["CAP_SYS_ADMIN", '["user", "uts"]']) expect(names).toContain(word);
		const mounts = await hint("mount", () => mount("scratch", "/tmp", "tmpfs"));
		for (const word of ["CAP_SYS_ADMIN", '["user", "mnt"]']) expect(mounts).toContain(word);
	},
);

needs("/proc").test("EPERM of a host name in a plain task says which namespaces the task needs", async () => {
	await using task = await powerless();
	const hint = await hintOf("EPERM", "sethostname", () => task.run(() => sethostname("inside")));
	for (const word of ["CAP_SYS_ADMIN", '["user", "uts"]']) expect(hint).toContain(word);
});

needs("/proc").test(
	"EPERM where no id is mapped says: write the maps first, and does not advise another user namespace",
	async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "none" });
		const hint = await hintOf("EPERM", "clone3", () => task.clone({ namespaces: ["user"], idMap: "none" }));
		expect(hint).toContain("writeIdMap");
		task.run(() => dropCapabilities());
		const other = await hintOf("EPERM", "clone3", () => task.clone({ namespaces: ["net"] }));
		expect(other).toContain("writeIdMap");
		expect(other).not.toContain('add "user"');
	},
);
