"""What the page says, in each of its languages; the tables have the same keys."""

from collections.abc import Mapping

Labels = Mapping[str, str]

ENGLISH: Labels = {
    "about": (
        "Give it pictures and say what to do: it plans, calls skills and shows every step. "
        "The bundled planner **nano** is small: it understands short English requests and plans "
        "with twelve of the skills under “Skills” and with yours; call the others by hand, such as "
        "/flip img_1. Faces, text, QR codes and barcodes are found offline; other things you "
        "point at."
    ),
    "allow": "Allow",
    "answer_stopped": "Stopped.",
    "approval": "It runs only if you allow it.",
    "approval_asks": "{skill} waits for you",
    "box": "Box",
    "broken_off": "The last request was broken off. Calls that had ended do not run again.",
    "chat": "Conversation",
    "chat_broken_off": "broken off",
    "chat_damaged": "cannot be read",
    "chat_delete": "Delete",
    "chat_delete_now": "Delete for good",
    "chat_delete_sure": "Delete this chat with its pictures? It cannot be brought back: {title}",
    "chat_export": "Export",
    "chat_here": "open here",
    "chat_keep": "Keep it",
    "chat_open": "Open",
    "chat_rename": "Rename",
    "chat_requests": "requests: {count}",
    "chat_running": "running",
    "chat_title": "New title",
    "chat_untitled": "(no request yet)",
    "chats": "Kept chats",
    "chats_none": "No chat is kept yet. Each one is from its first request on.",
    "clear_marks": "Clear marks",
    "download_picture": "Download picture",
    "download_trace": "Download trace",
    "examples": "Try one of these, or drop a picture of your own below.",
    "gallery": "Pictures of this chat",
    "give": "Give this chat for training",
    "give_again": "Ask again",
    "give_better": "What would have been right?",
    "give_corrected": "Your correction is kept with it.",
    "give_info": (
        "Off unless you switch it on, in each chat. The whole chat with its pictures and your "
        "thumbs is then kept by whoever runs this page; switching it off deletes it there."
    ),
    "give_noted": "Noted: {sign} for request {turn}.",
    "give_save": "Keep the correction",
    "give_up": "End it as it is",
    "help": "A call by hand is /skill and its arguments, such as /blur img_1 strength=0.9. Skills:",
    "language": "Language",
    "message": "Your request",
    "message_hint": "What should be done? Drop or paste pictures here; /help lists the skills.",
    "mode": "Click or drag",
    "new": "new",
    "new_chat": "New chat",
    "no_planner": "No planner: {problem} Calls such as /blur work all the same.",
    "page_lost": (
        "The server does not know this page any more. Reload it: a kept chat comes back, "
        "others begin anew."
    ),
    "pending": "pending, your next message uses it",
    "picture": "Picture",
    "planner": "Planner",
    "planner_loading": "The planner is still loading. Calls such as /blur work already.",
    "planner_ready": "Planner: {name}",
    "point": "Point",
    "pointing": "Point at something",
    "pointing_hint": (
        "Click a place or drag a box; your next message may say “this”. "
        "Keys: arrows move the cross, Enter sets it, twice for a box."
    ),
    "pointing_none": "Add a picture first.",
    "refuse": "Refuse",
    "refuse_reason": "Why not (the planner reads it)",
    "resume": "Go on",
    "skills": "Skills",
    "step": "Step",
    "stop": "Stop",
    "thought": "Thought",
    "unreadable": "This could not be read: {problem}",
    "working": "working",
}

CHINESE: Labels = {
    "about": (
        "上传图片并说明要做什么:它会规划、调用技能,并展示每一步。"
        "自带的规划器 **nano** 很小:主要理解简短的英文请求,"
        "只会用“技能”栏中的十二个技能和你自己的技能;其余请手动调用,例如 /flip img_1。"
        "离线可找到人脸、文字、二维码和条形码;其他东西请直接在图上指出。"
    ),
    "allow": "允许",
    "answer_stopped": "已停止。",
    "approval": "只有您允许后才会运行。",
    "approval_asks": "{skill} 等待您的许可",
    "box": "框",
    "broken_off": "上一个请求被中断了。已完成的调用不会再次运行。",
    "chat": "对话",
    "chat_broken_off": "已中断",
    "chat_damaged": "无法读取",
    "chat_delete": "删除",
    "chat_delete_now": "永久删除",
    "chat_delete_sure": "删除此对话及其图片?删除后无法恢复:{title}",
    "chat_export": "导出",
    "chat_here": "当前对话",
    "chat_keep": "保留",
    "chat_open": "打开",
    "chat_rename": "重命名",
    "chat_requests": "请求:{count}",
    "chat_running": "运行中",
    "chat_title": "新标题",
    "chat_untitled": "(尚无请求)",
    "chats": "已保存的对话",
    "chats_none": "尚未保存对话。每个对话从第一个请求起保存。",
    "clear_marks": "清除标记",
    "download_picture": "下载图片",
    "download_trace": "下载记录",
    "examples": "试试下面的例子,或在下方放入自己的图片。",
    "gallery": "本次对话的图片",
    "give": "将此对话用于训练",
    "give_again": "再问一次",
    "give_better": "正确的回答应当是什么?",
    "give_corrected": "您的更正已一并保存。",
    "give_info": (
        "每个对话默认关闭。开启后,整个对话及其图片和您的评价由本页面的运营者保存;关闭后将从那里删除。"
    ),
    "give_noted": "已记录:{sign}(第 {turn} 个请求)。",
    "give_save": "保存更正",
    "give_up": "到此结束",
    "help": "手动调用写成 /技能名 加参数,例如 /blur img_1 strength=0.9。技能:",
    "language": "语言",
    "message": "你的请求",
    "message_hint": "要做什么?可在此拖放或粘贴图片;/help 列出技能。",
    "mode": "点击或拖动",
    "new": "新",
    "new_chat": "新对话",
    "no_planner": "没有规划器:{problem} 仍可使用 /blur 等手动调用。",
    "page_lost": "服务器已不认识此页面。请重新加载:已保存的对话会恢复,其他对话重新开始。",
    "pending": "待用,下一条消息会用到",
    "picture": "图片",
    "planner": "规划器",
    "planner_loading": "规划器仍在加载。/blur 等手动调用已可使用。",
    "planner_ready": "规划器:{name}",
    "point": "点",
    "pointing": "在图上指出",
    "pointing_hint": (
        "点击一个位置或拖出一个框,下一条消息里就可以说“这个”。"
        "键盘:方向键移动十字,回车确定,画框按两次。"
    ),
    "pointing_none": "请先添加图片。",
    "refuse": "拒绝",
    "refuse_reason": "拒绝的原因(规划器会读到)",
    "resume": "继续",
    "skills": "技能",
    "step": "步骤",
    "stop": "停止",
    "thought": "思考",
    "unreadable": "无法读取:{problem}",
    "working": "进行中",
}

LANGUAGES: Mapping[str, Labels] = {"English": ENGLISH, "中文": CHINESE}


def language_of(accepted: str) -> str:
    """Return the page's language for a browser's ``Accept-Language``."""
    return "中文" if accepted.strip().lower().startswith("zh") else "English"
