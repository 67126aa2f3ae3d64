"""The hot path: may this request pass?"""
