// Before Linux 6.5 overlayfs takes no parameter by descriptor, and the kernel says so with another code than later kernels. The first
// overlay of a process asks, and so this test has a file, and with it a process, of its own.
import { overlay } from "@nearfar/mount";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { layers } from "./layers.ts";
import { mountAt } from "./sandbox.ts";

const SYS_fsconfig = 431;
const SET_FD = 5;
const EOPNOTSUPP = 95;

needs("the file system overlay", "/proc").test("a kernel that answers EOPNOTSUPP gets the layers as text", async () => {
	await using box = await layers();
	const lower = [box.layer("one"), box.layer("two")];
	forbid(box.task, SYS_fsconfig, EOPNOTSUPP, SET_FD, 1);
	const detached = box.task.run(() => refusal(() => overlay(null, { lower })));
	expect(detached).toMatchObject({ code: "EOPNOTSUPP", syscall: "fsconfig" });
	box.task.run(() => overlay(box.place, { lower }));
	expect(mountAt(box.task, box.place)).toMatchObject({ type: "overlay" });
});
