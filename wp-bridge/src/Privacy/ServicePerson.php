<?php
/**
 * A person's data at the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Privacy;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/** Calls PrivacyService by shop customer id and email. It stores only the token of the next page, which contains no personal data. */
class ServicePerson {

	private const TIMEOUT_SECONDS = 20;
	private const PAGE_SIZE       = 200;

	/** Prefix of the transient with the next page's token. It lasts an hour, the time that an export may take. */
	private const TOKEN = 'tillsync_bridge_export_';

	public function __construct( private readonly CopyGuard $copy_guard, private readonly ServiceClient $service_client ) {}

	/** Tells whether a service is connected and this site may call it. */
	public function can_be_asked(): bool {
		return null !== $this->copy_guard->usable();
	}

	/**
	 * Returns one page of the data that the service has.
	 *
	 * @param int $page Number of the page, from 1.
	 * @return array{records: array<int, array<string, mixed>>, more: bool, known_as: string[], uncertain: string[], not_asked: string[]}
	 * @throws ServiceError
	 */
	public function export( string $email, int $page ): array {
		$name   = self::TOKEN . md5( $email );
		$stored = get_transient( $name );
		$token  = 1 === $page ? '' : ( is_array( $stored ) && $page === ( $stored['page'] ?? 0 ) ? (string) $stored['token'] : null );
		$answer = null;
		// The token expired, so the earlier pages are read again.
		for ( $at = null === $token ? 1 : $page; $at <= $page; $at++ ) {
			$answer = $this->call( 'ExportPerson', array( 'person' => self::person( $email ), 'pageSize' => self::PAGE_SIZE ) + array_filter( array( 'pageToken' => (string) $token ) ) );
			$token  = (string) ( $answer['nextPageToken'] ?? '' );
			if ( '' === $token && $at < $page ) {
				return array( 'records' => array(), 'more' => false ) + self::who( array() );
			}
		}
		'' === $token ? delete_transient( $name ) : set_transient( $name, array( 'page' => $page + 1, 'token' => $token ), HOUR_IN_SECONDS );
		return array( 'records' => self::list_in( (array) $answer, 'records' ), 'more' => '' !== $token ) + self::who( 1 === $page ? (array) $answer : array() );
	}

	/**
	 * Erases the person. It may run again.
	 *
	 * @return array{erased: int, retained: string[], known_as: string[], uncertain: string[], not_asked: string[]} retained: sentences that
	 * say why data stays for now.
	 * @throws ServiceError
	 */
	public function erase( string $email ): array {
		$answer = $this->call( 'ErasePerson', array( 'person' => self::person( $email ) ) );
		$erased = 0;
		foreach ( self::list_in( $answer, 'erased' ) as $count ) {
			$erased += (int) ( $count['count'] ?? 0 );
		}
		$retained = array_map( static fn( array $one ) => (string) ( $one['reason'] ?? '' ), self::list_in( $answer, 'retained' ) );
		return array( 'erased' => $erased, 'retained' => $retained ) + self::who( $answer );
	}

	/**
	 * Returns the aliases of the person. The service cannot search for an email in this shop, and person() has already done it.
	 *
	 * @param array<string, mixed> $answer Answer of either call.
	 * @return array{known_as: string[], uncertain: string[], not_asked: string[]} uncertain: ids that may be another person's.
	 */
	private static function who( array $answer ): array {
		$who = array( 'known_as' => array(), 'uncertain' => array(), 'not_asked' => array() );
		foreach ( self::list_in( $answer, 'alsoKnownAs' ) as $alias ) {
			$name = str_replace( '_', ' ', (string) ( $alias['kind'] ?? '' ) ) . ' ' . (string) ( $alias['value'] ?? '' ) . ': ' . (string) ( $alias['reason'] ?? '' );
			$who[ true === ( $alias['followed'] ?? false ) ? 'known_as' : 'uncertain' ][] = $name;
		}
		foreach ( self::list_in( $answer, 'sidesNotAsked' ) as $side ) {
			if ( 'SIDE_SHOP' !== ( $side['side'] ?? '' ) ) {
				$who['not_asked'][] = (string) ( $side['reason'] ?? '' );
			}
		}
		return $who;
	}

	/**
	 * @param array<string, mixed> $answer Answer of either call.
	 * @return array<int, array<string, mixed>>
	 */
	private static function list_in( array $answer, string $name ): array {
		return array_values( array_filter( (array) ( $answer[ $name ] ?? array() ), 'is_array' ) );
	}

	/** @return array<string, string> A Person message. */
	private static function person( string $email ): array {
		$user = get_user_by( 'email', $email );
		return array( 'email' => $email ) + ( false === $user ? array() : array( 'wooCustomerId' => (string) $user->ID ) );
	}

	/**
	 * @param array<string, mixed> $message The request.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function call( string $method, array $message ): array {
		return $this->service_client->call( 'PrivacyService', $method, $message, self::TIMEOUT_SECONDS );
	}
}
