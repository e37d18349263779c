// The time line of a call: one stage for each status, with the seconds at which the call reached it.

import { node, present } from "./dom.js";

/**
 * The stages of a call.
 * @param {CallStates} call
 * @param {CallStatus | null} current null before the call exists
 * @param {Map<CallStatus, number>} reached seconds from the call's creation to each status
 */
export function stages({ states, unfinished, meanings }, current, reached) {
  const hasEnded = current !== null && !unfinished.includes(current);
  const end = hasEnded ? current : states[unfinished.length];
  const isCompleted = end === states[unfinished.length];
  // A call that nobody answered never was in progress: only what was seen is drawn.
  const drawn = present([...unfinished, end]).filter((status) => isCompleted || status === end || reached.has(status));
  return drawn.map((status) => {
    const seconds = reached.get(status);
    const past = seconds !== undefined || status === current;
    const stage = status === current ? (hasEnded ? "end" : "now") : past ? "done" : hasEnded ? "skipped" : "ahead";
    return node(
      "li",
      {
        class: `life-stage life-${stage}${status === end && hasEnded && !isCompleted ? " life-bad" : ""}`,
        title: meanings[status],
        "aria-current": status === current ? "step" : null,
      },
      node("span", { class: "life-name" }, words(status)),
      " ",
      node("span", { class: "life-time" }, time(seconds, stage)),
    );
  });
}

/**
 * @param {number | undefined} seconds
 * @param {string} stage
 */
function time(seconds, stage) {
  if (seconds !== undefined) return `${seconds.toFixed(1)} s`;
  return stage === "skipped" ? "skipped" : "";
}

/**
 * A status as people say it.
 * @param {string} status
 */
export function words(status) {
  return status.replaceAll("_", " ");
}
