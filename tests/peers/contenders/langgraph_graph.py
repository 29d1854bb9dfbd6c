"""The graph that LangGraph's server runs: an agent's loop of a model and its tools.

As the documentation builds one: docs.langchain.com/oss/python/langgraph/quickstart (`MessagesState`, a node
for the model, `ToolNode` for the calls, which run at once).  The model is a script.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from peers.ledger import Ledger
from peers.operation import WAVES, World, wave_of

WORLD = World(Ledger(Path(os.environ["PEERS_LEDGER"])), asyncio.sleep)


@tool
async def act(name: str) -> str:
    """Acts on the world."""
    return await WORLD.act(name)


async def model(state: MessagesState) -> dict[str, Any]:
    """The next wave, until there were all; then the reply."""
    messages = state["messages"]
    asked = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
    question = str(messages[asked].content)
    if messages[-1] is messages[asked]:
        WORLD.plan(
            question,
            [str(message.content) for message in messages if isinstance(message, HumanMessage)],
            [str(message.content) for message in messages if isinstance(message, ToolMessage)],
        )
    waves = sum(isinstance(message, AIMessage) for message in messages[asked:])
    if waves < WAVES:
        calls = [{"name": "act", "args": {"name": call}, "id": call} for call in wave_of(question, waves)]
        return {"messages": [AIMessage(content="", tool_calls=calls)]}
    await WORLD.reply(question)
    return {"messages": [AIMessage(content=f"done: {question}")]}


_builder = StateGraph(MessagesState)
_builder.add_node("model", model)
_builder.add_node("tools", ToolNode([act]))
_builder.add_edge(START, "model")
_builder.add_conditional_edges("model", tools_condition, ["tools", END])
_builder.add_edge("tools", "model")
graph = _builder.compile()
