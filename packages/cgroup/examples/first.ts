import assert from "node:assert/strict";
import { Cgroup, CgroupError } from "@nearfar/cgroup";

// Where this process is. On hosts without cgroup v2 the error says so, and what to do.
try {
	await using own = Cgroup.current();
	console.log(`${own}: controllers ${own.controllers.join(" ")}`);
	assert.equal(own.removed, false);
} catch (error) {
	if (!(error instanceof CgroupError)) throw error;
	console.log(error.reason, error.hint);
}
