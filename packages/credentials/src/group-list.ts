import { array, id, MOST_GROUPS, outOfRange } from "@nearfar/core/internal";

/** Checks a list of groups to set. Returns a copy. */
export function groupList(groups: readonly number[], name: string): number[] {
	const list = array(groups, name).map((group, index) => id(group, `${name}[${index}]`));
	if (list.length > MOST_GROUPS) throw outOfRange(name, `at most ${MOST_GROUPS} ids`, list.length);
	return list;
}
