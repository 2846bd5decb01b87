"""What `vedette up` says of the console: its address once, and the link as long as there is one."""

from __future__ import annotations

from pathlib import Path

from vedette.console_news import ADDRESS, LINK, ConsoleNews


def test_address_and_link_are_said_once(tmp_path: Path) -> None:
    news = ConsoleNews(tmp_path)
    assert news.new() == []
    (tmp_path / LINK).write_text("http://here/enter/secret")
    (tmp_path / ADDRESS).write_text("http://here")
    address, link = news.new()
    assert "http://here" in address
    assert link.endswith("http://here/enter/secret")
    assert news.open_at == "http://here/enter/secret"
    assert news.new() == []


def test_what_an_earlier_run_left_is_no_news(tmp_path: Path) -> None:
    (tmp_path / LINK).write_text("http://old/enter/secret")
    (tmp_path / ADDRESS).write_text("http://old")
    news = ConsoleNews(tmp_path)
    news.forget()
    assert news.new() == []
    (tmp_path / ADDRESS).write_text("http://new")
    assert news.new() == ["the console is at http://new"]
    assert news.open_at == "http://new"


def test_another_address_is_said_again(tmp_path: Path) -> None:
    news = ConsoleNews(tmp_path)
    (tmp_path / ADDRESS).write_text("http://here:1")
    news.new()
    (tmp_path / ADDRESS).write_text("http://here:2")
    assert news.new() == ["the console is at http://here:2"]
