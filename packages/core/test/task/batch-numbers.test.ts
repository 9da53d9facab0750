import { expect, test } from "vitest";
import { type FileDescriptor, pipe, Task } from "../../src/index.ts";

test("what a batch puts where its message's own descriptors were stays open after it", async () => {
	const pipes = Array.from({ length: 4 }, () => pipe());
	await using task = await Task.clone();
	const placed = await task.batch(() => {
		const put = pipes.map(([, write]) => task.put(write));
		const high = put.map((fd) => fd.dup({ min: 20 }));
		return high.map((fd, index) => fd.dupTo(3 + index));
	});
	expect(placed.map(({ fd }) => fd)).toEqual([3, 4, 5, 6]);
	for (const [index, [read]] of pipes.entries()) {
		task.run(() => (placed[index] as FileDescriptor).write(`${index}`));
		expect(read.read(9).toString()).toBe(`${index}`);
	}
	for (const end of pipes.flat()) end.close();
});

test("descriptors of a message can trade places, and a program that follows is executed all the same", async () => {
	const pipes = Array.from({ length: 3 }, () => pipe());
	const task = await Task.clone();
	await task.batch(() => {
		// The copies arrive with numbers from 3 up, so that each takes a number that another copy has, or its own.
		const keep = pipes.map(([, write], index) => task.put(write, { number: 5 - index }));
		const more = [6, 7, 8, 9].map((number) => (keep[0] as FileDescriptor).dupTo(number));
		const script = "for fd in 3 4 5; do echo $fd >&$fd; done; echo 9 >&9";
		task.exec("/bin/sh", ["sh", "-c", script], { fds: [...keep, ...more] });
	});
	for (const [, write] of pipes) write.close();
	await task.process.check();
	expect(pipes.map(([read]) => read.read(9).toString())).toEqual(["5\n9\n", "4\n", "3\n"]);
	for (const [read] of pipes) read.close();
});
