// What the error of mount(2) names.
import type { SyscallError } from "@nearfar/core";
import { expect, test } from "vitest";
import { reason } from "../../../test/reason.ts";
import { mount } from "../src/index.ts";
import { sandbox } from "./sandbox.ts";

test.each<[code: string, fstype: string | null, data: string | undefined, ...words: string[]]>([
	["ENODEV", "nosuchfs", undefined, "as nosuchfs"],
	["EINVAL", "tmpfs", "size=nonsense", "as tmpfs", "with 'size=nonsense'"],
	["EINVAL", "tmpfs", "password=hunter2,size=1m", "as tmpfs", "password=***,size=1m"],
	["EINVAL", null, undefined],
])("%s of %s with %s names the file system and its options, and no secret", async (code, fstype, data, ...words) => {
	await using box = await sandbox();
	const call = () => mount("source", box.inside(), fstype, data === undefined ? {} : { data });
	for (const way of [() => box.task.run(call), () => box.task.batch(call)]) {
		const error = (await reason(way)) as SyscallError;
		expect(error).toMatchObject({ code, syscall: "mount", path: "source", dest: box.inside() });
		for (const word of [`'source' -> '${box.inside()}'`, ...words, `in ${box.task}`]) {
			expect(error.message).toContain(word);
		}
		expect(error.message).not.toContain("hunter2");
	}
});
