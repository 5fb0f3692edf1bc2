/** @file Words that say nothing about what a text is about, and the phrases people wrap questions in. Simplified, normalised. */

/** Never indexed, never searched. Only words without content of their own: "没有", "不得", "可以" carry meaning in rules and stay. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    "的 了 着 过 地 得 之 是 在 和 与 及 或 而 且 但 也 都 就 又 还 才 则 所 以 于 其 此 该 这 那 这个 那个 这些 那些 这样 那样 " +
    "我 你 他 她 它 我们 你们 他们 她们 它们 咱们 自己 您 吗 呢 吧 啊 呀 哦 嘛 么 啦 哈 嗯 哎 " +
    "把 被 从 到 对 向 为 给 让 使 由 以及 并 并且 而且 因为 所以 如果 虽然 但是 然后 还是 或者 就是 也是 都是 只是 不是 " +
    "什么 怎么 怎样 怎么样 怎么办 如何 哪 哪里 哪儿 哪个 哪些 谁 多少 几 几个 为什么 为何 何 何时 何地 何人 " +
    "请问 想问 请教 问一下 一下 一个 一种 有 会 能 要 想 说 很 太 更 最 再 已 已经 将 等 " +
    "a an and are as at be by for from how in is it of on or that the this to was what when where which who why will with"
  ).split(" "),
);
