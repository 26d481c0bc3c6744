<?php
/**
 * The confirmation table.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;

/** Reads and writes `{prefix}tillsync_confirmation`: the confirmed email of a user, how it was confirmed, and the sent mails. */
class ConfirmationTable {

	/** Minimum seconds between two mails to a user, and the maximum number of mails a day. The address may belong to another person. */
	public const BETWEEN_SECONDS = 300;
	public const MAILS_A_DAY     = 5;

	public function __construct( private readonly Database $database, private readonly Tables $tables, private readonly Clock $clock ) {}

	/**
	 * @return array{email_hash: string, ground: string, confirmed_at: int, changed_at: int}|null Null without a row.
	 * @throws DatabaseError
	 */
	public function find( int $user_id ): ?array {
		$row = $this->database->rows( "SELECT email_hash, ground, confirmed_at, changed_at FROM {$this->name()} WHERE user_id = %d", array( $user_id ) )[0] ?? null;
		return null === $row ? null : array( 'email_hash' => (string) $row['email_hash'], 'ground' => (string) $row['ground'], 'confirmed_at' => (int) $row['confirmed_at'], 'changed_at' => (int) $row['changed_at'] );
	}

	/** @throws DatabaseError */
	public function confirm( int $user_id, string $email_hash, string $ground ): void {
		$now = $this->clock->now();
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id, email_hash, ground, confirmed_at) VALUES (%d, %s, %s, %d)
			ON DUPLICATE KEY UPDATE email_hash = VALUES(email_hash), ground = VALUES(ground), confirmed_at = VALUES(confirmed_at)",
			array( $user_id, $email_hash, $ground, $now )
		);
	}

	/** @throws DatabaseError */
	public function note_unproven( int $user_id ): void {
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id, ground) VALUES (%d, %s) ON DUPLICATE KEY UPDATE ground = VALUES(ground)",
			array( $user_id, Confirmations::UNPROVEN )
		);
	}

	/**
	 * Records that the user's email differs from the one of the registration.
	 *
	 * @throws DatabaseError
	 */
	public function email_changed( int $user_id ): void {
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id, changed_at) VALUES (%d, %d) ON DUPLICATE KEY UPDATE changed_at = VALUES(changed_at)",
			array( $user_id, $this->clock->now() )
		);
	}

	/**
	 * Claims the right to send a mail. The statement grants it to one of several concurrent requests.
	 *
	 * @return bool False when too many mails were sent, or the last one too recently.
	 * @throws DatabaseError
	 */
	public function claim_mail( int $user_id ): bool {
		$now = $this->clock->now();
		$day = $now - DAY_IN_SECONDS;
		if ( null === $this->find( $user_id ) ) {
			$this->database->write( "INSERT INTO {$this->name()} (user_id) VALUES (%d) ON DUPLICATE KEY UPDATE user_id = user_id", array( $user_id ) );
		}
		// MySQL sets columns from left to right. mails depends on mails_since, so it is set first.
		return 1 === $this->database->write(
			"UPDATE {$this->name()} SET mails = CASE WHEN mails_since <= %d THEN 1 ELSE mails + 1 END, mails_since = CASE WHEN mails_since <= %d THEN %d ELSE mails_since END, mailed_at = %d
			WHERE user_id = %d AND mailed_at <= %d AND (mails_since <= %d OR mails < %d)",
			array( $day, $day, $now, $now, $user_id, $now - self::BETWEEN_SECONDS, $day, self::MAILS_A_DAY )
		);
	}

	/**
	 * Erases a person's data. The row still tells that the email was changed, so the present email is not trusted.
	 *
	 * @return bool Whether there was a confirmation.
	 * @throws DatabaseError
	 */
	public function erase( int $user_id ): bool {
		return 0 < $this->database->write(
			"UPDATE {$this->name()} SET changed_at = %d, email_hash = '', ground = '', confirmed_at = 0, mailed_at = 0, mails = 0, mails_since = 0 WHERE user_id = %d AND email_hash <> ''",
			array( $this->clock->now(), $user_id )
		);
	}

	/** @throws DatabaseError */
	public function forget( int $user_id ): void {
		$this->database->write( "DELETE FROM {$this->name()} WHERE user_id = %d", array( $user_id ) );
	}

	private function name(): string {
		return $this->tables->confirmation();
	}
}
