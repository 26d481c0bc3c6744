<?php
/**
 * A copy of a shop must not speak for it.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;


/**
 * A database that was copied to another address, or to a site whose environment type is another, carries the connection along. As
 * long as the place differs from the one that was connected, nothing is sent and nothing accepted, until the merchant has chosen
 * "this is a copy" or "the shop moved" (Connector).
 *
 * A test site may be connected: that is a decision of its own at connecting, and its environment is stored then.
 */
final class CopyGuard {

	public function __construct( private readonly ConnectionStore $connections ) {}

	/** The connection, when this site may use it; null: not connected, or the merchant must choose first. */
	public function usable(): ?Connection {
		$connection = $this->connections->current();
		return null !== $connection && ! $this->differs( $connection ) ? $connection : null;
	}

	/** Whether a connection is there that this site must not use before the merchant has chosen. */
	public function must_choose(): bool {
		$connection = $this->connections->current();
		return null !== $connection && $this->differs( $connection );
	}

	public function differs( Connection $connection ): bool {
		return SiteIdentity::normalised( $connection->home_url ) !== SiteIdentity::home_url()
			|| $connection->environment !== SiteIdentity::environment();
	}
}
