import { expect, test } from "vitest";
import { reachedLimit } from "../src/target/reached-limit.ts";

test.each(["/proc/self", "/nope", "/dev/null", "", "\0"])("the search for a limit never fails: %j", (folder) => {
	expect(reachedLimit(folder)).toContain("a limit on processes is reached: ");
	expect(reachedLimit(folder, "/nope")).toContain("a limit on processes is reached: ");
});

test("where no limit can be seen, all that there are are named", () => {
	const words = reachedLimit("/nope");
	for (const limit of ["RLIMIT_NPROC", "pids.max", "threads-max", "pid_max"]) expect(words).toContain(limit);
});
