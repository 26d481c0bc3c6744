<?php
/**
 * The test of both sides.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/** Runs CheckAccount for the settings screen, Site Health and the command line. */
class ServiceTest {

	/** Seconds. The service checks both sides at the same time, each for about half a minute. */
	private const TIMEOUT_SECONDS = 45;

	private const SIDES = array( 'SIDE_TILL' => 'till', 'SIDE_SHOP' => 'shop' );

	public function __construct(
		private readonly ServiceClient $service_client,
		private readonly CopyGuard $copy_guard
	) {}

	/**
	 * Returns each step of both sides and the warnings, in the service's words and in the merchant's.
	 *
	 * @return array{ok: bool, steps: array<int, array{side: string, state: string, ok: bool, text: string, remedy: string, said: string, to_do: string, detail: string}>}
	 * state: ok, failed, warning; text, remedy: the service's words; said, to_do: the merchant's; detail: for the service's operator.
	 * @throws ServiceError
	 */
	public function steps(): array {
		$answer = $this->service_client->call( 'AccountService', 'CheckAccount', array(), self::TIMEOUT_SECONDS );
		$steps  = array();
		foreach ( array( 'steps', 'warnings' ) as $kind ) {
			foreach ( array_filter( (array) ( $answer[ $kind ] ?? array() ), 'is_array' ) as $step ) {
				$ok      = 'steps' === $kind && true === ( $step['ok'] ?? false );
				$steps[] = array(
					'side'   => self::SIDES[ $step['side'] ?? '' ] ?? 'service',
					'state'  => 'warnings' === $kind ? 'warning' : ( $ok ? 'ok' : 'failed' ),
					'ok'     => $ok || 'warnings' === $kind,
					'text'   => (string) ( $step['text'] ?? '' ),
					'remedy' => (string) ( $step['remedy'] ?? '' ),
				) + self::texts( $step, $kind, $ok );
			}
		}
		return array( 'ok' => true === ( $answer['ok'] ?? false ), 'steps' => $steps );
	}

	/**
	 * @param array<string, mixed> $step A CheckStep or CheckWarning message.
	 * @return array{said: string, to_do: string, detail: string}
	 */
	private static function texts( array $step, string $kind, bool $ok ): array {
		$name   = (string) ( $step['name'] ?? '' );
		$text   = (string) ( $step['text'] ?? '' );
		$remedy = (string) ( $step['remedy'] ?? '' );
		if ( $ok ) {
			$translated = CheckTexts::of_success( $name );
			return array( 'said' => '' === $translated ? $text : $translated, 'to_do' => '', 'detail' => '' );
		}
		$reason = (string) ( $step['details']['reason'] ?? '' );
		$words  = 'warnings' === $kind ? CheckTexts::of_warning( $name ) : CheckTexts::of_reason( $reason );
		if ( null === $words ) {
			return array( 'said' => $text, 'to_do' => $remedy, 'detail' => '' );
		}
		// A side's response helps the person who gives support. Names of the operator's settings do not help a merchant.
		$answered = 0 === strncmp( $reason, 'SHOP_', 5 ) || 0 === strncmp( $reason, 'TILL_', 5 );
		return array( 'said' => $words[0], 'to_do' => $words[1], 'detail' => $answered ? $text : '' );
	}

	/** @return array<string, mixed> A result of Site Health. */
	public function run(): array {
		if ( null === $this->copy_guard->usable() ) {
			return HealthResult::of( 'service', 'recommended', __( 'The tillsync service was not asked', 'tillsync-bridge' ), __( 'The shop is not connected, or must first say whether it is a copy.', 'tillsync-bridge' ) );
		}
		try {
			$checked = $this->steps();
		} catch ( ServiceError $error ) {
			return HealthResult::of( 'service', 'critical', __( 'The tillsync service does not answer', 'tillsync-bridge' ), $error->sentence() );
		}
		if ( $checked['ok'] ) {
			return HealthResult::of( 'service', 'good', __( 'Till and shop answer the tillsync service', 'tillsync-bridge' ), __( 'Every step of the test went well.', 'tillsync-bridge' ) );
		}
		$failed = array_filter( $checked['steps'], static fn( array $step ) => 'failed' === $step['state'] );
		$lines  = array_map( static fn( array $step ) => trim( "{$step['said']} {$step['to_do']} {$step['detail']}" ), $failed );
		return HealthResult::of( 'service', 'critical', __( 'The tillsync service cannot use the till or the shop', 'tillsync-bridge' ), implode( ' ', $lines ) );
	}
}
